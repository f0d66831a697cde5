"""100,000 lines of a Job on the test stand, shown by our deployer, against `kubectl logs --follow` on the same Job.

The Job prints as fast as it is read, so that who shows the lines is what is measured, and both ask the API server
itself. Both write into the same pipe; seconds are those from the first line that comes out of it to the last. Ours does
more for them: it asks for times, by which lines are known that come again after a lost connection.
"""

from __future__ import annotations

import logging
import os
import statistics
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

from table import Row

from fairing_az_jupyter.fairing.cluster.manifests import Placement, Target, finished_pod, job, new_name
from tests.cluster.log_lines_scene import AT_ONCE, COUNT, environment_of, launch
from tests.stand import close_shared, shared
from tests.stand.programs import binaries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.stand import Setup, Stand

ROUNDS = 3
PROMISE = 2.0
_LONGEST_SECONDS = 60
# A process of its own: this one also runs the stand's node.
_READ = f"""
import os, time
lines, first = 0, None
while lines < {COUNT} and (part := os.read(0, 1 << 16)):
    last = time.monotonic()
    lines += part.count(b"\\n")
    # The Job prints its first line by itself, and waits then; what is measured begins when others come.
    if first is None and lines > 1:
        first = last
while os.read(0, 1 << 16):
    pass
print(lines, last - first if first else 0)
"""


def rows() -> list[Row]:
    """Measure both, turn by turn.

    Returns:
        One row with the medians.

    """
    logging.disable(logging.WARNING)
    stand = shared()
    try:
        with stand.names.here():
            setup = stand.correct_setup(f"bench-{uuid.uuid4().hex[:8]}")
            image = stand.node.push_base(setup.login_server, setup.dockerconfig)
            kubeconfig = stand.control_plane.kubeconfig(setup.profile.editor, setup.namespace)
            environment = environment_of(setup, kubeconfig)
            ours, theirs = [], []
            for _ in range(ROUNDS):
                ours.append(_seconds(launch(setup, image, AT_ONCE), environment))
                name = _start(stand, setup, image)
                theirs.append(_seconds([str(binaries.kubectl()), "logs", "--follow", f"job/{name}"], environment))
    finally:
        logging.disable(logging.NOTSET)
        close_shared()
    return [
        Row(
            f"show {COUNT:,} lines of a Job",
            statistics.median(ours),
            statistics.median(theirs),
            "kubectl logs -f",
            "s",
            PROMISE,
        )
    ]


def _start(stand: Stand, setup: Setup, image: str) -> str:
    """Start the same Job as ours and return its name once its container runs, as kubectl asks for it."""
    target = Target(setup.namespace, "default-editor", "acrcreds")
    variables = [{"name": "PYTHONUNBUFFERED", "value": "1"}]
    container = {"name": "model", "image": image, "command": ["python", "-c", AT_ONCE], "env": variables}
    pod = finished_pod({"containers": [container]}, target, Placement(cpu="100m", memory="128Mi"), ends=True)
    name, admin = new_name("job"), stand.control_plane.admin
    admin.post(f"/apis/batch/v1/namespaces/{setup.namespace}/jobs", job(name, pod, target))
    end = time.monotonic() + _LONGEST_SECONDS
    while not any(_runs(item, name) for item in admin.get(f"/api/v1/namespaces/{setup.namespace}/pods")["items"]):
        if time.monotonic() > end:
            message = f"The pod of job {name} does not start."
            raise RuntimeError(message)
        time.sleep(0.05)
    return name


def _runs(pod: Mapping[str, Any], name: str) -> bool:
    return pod["metadata"]["labels"].get("job-name") == name and pod["status"].get("phase") == "Running"


def _seconds(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Return how long a command's lines take from the first of them to the last."""
    reading = [sys.executable, "-c", _READ]
    read, write = os.pipe()
    with subprocess.Popen(reading, stdin=read, stdout=subprocess.PIPE, text=True) as reader:
        os.close(read)
        try:
            done = subprocess.run(
                command, env=environment, stdout=write, stderr=subprocess.PIPE, timeout=_LONGEST_SECONDS, check=False
            )
        finally:
            os.close(write)
        lines, seconds = reader.communicate(timeout=_LONGEST_SECONDS)[0].split()
    if done.returncode or int(lines) != COUNT:
        message = f"{command[0]} printed {lines} lines of {COUNT}, exit code {done.returncode}: {done.stderr.decode()}"
        raise RuntimeError(message)
    return float(seconds)


if __name__ == "__main__":
    for row in rows():
        print(f"{row.name}: {row.ours:.3f} {row.unit}, {row.against}: {row.theirs:.3f} {row.unit}, {row.figure:.2f}")
