"""A Job that prints very many lines, and who launches it: a process whose output and memory are seen from outside."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

from fairing_az_jupyter.settings import from_notebook

COUNT = 100_000
_REPOSITORY = Path(__file__).resolve().parents[2]
_LAUNCH = """
import json, sys
from kubernetes.client import V1Container, V1PodSpec
from fairing_az_jupyter.fairing.jobs.training_job import ClusterJob
from fairing_az_jupyter.fairing.cluster.connections import Launcher
from fairing_az_jupyter.fairing.cluster.manifests import Placement
from fairing_az_jupyter.settings import Settings
settings, image, code = sys.argv[1:]
container = V1Container(name="model", image=image, command=["python", "-c", code])
with Launcher(Settings(**json.loads(settings)), placement=Placement(cpu="100m", memory="128Mi")) as launcher:
    ClusterJob(launcher).deploy(V1PodSpec(containers=[container]))
"""


def line(number):
    """Return a line of the Job: some are the same as others, and not all is ASCII."""
    return f"epoch {number // 7}" if number % 7 == 0 else f"line {number} {'é' * 60}"


_FUNCTION = inspect.getsource(line)

ONE_BY_ONE = f"{_FUNCTION}\nfor number in range({COUNT}): print(line(number))"
"""What prints them as a training loop does."""

AT_ONCE = f"""
import os, time
{_FUNCTION}
left = "".join(line(number) + "\\n" for number in range(1, {COUNT})).encode()
os.write(1, (line(0) + "\\n").encode())
time.sleep(3)
while left: left = left[os.write(1, left):]
"""
"""What prints the first one, waits until it is followed, and prints the others as fast as they are taken."""


def environment_of(setup, kubeconfig):
    """Return what a process needs to be a user of the stand's cluster, and no pod of it."""
    kept = {**os.environ, **setup.environment, "KUBECONFIG": str(kubeconfig)}
    # Who is told to write each line by itself is no measure of who writes lines.
    kept = {name: value for name, value in kept.items() if not name.startswith(("KUBERNETES_", "PYTHONUNBUFFERED"))}
    return {**kept, "PYTHONPATH": os.pathsep.join([kept["PYTHONPATH"], str(_REPOSITORY)])}


def launch(setup, image, code):
    """Return the command that runs code as a Job and prints what it prints."""
    settings = {**from_notebook(setup.settings), "namespace": setup.namespace}
    return [sys.executable, "-c", _LAUNCH, json.dumps(settings), image, code]


@contextlib.contextmanager
def launching(setup, image, code):
    """Run code as a Job, launched by a process of its own, which is ended at the end."""
    child = subprocess.Popen(
        launch(setup, image, code),
        env=environment_of(setup, setup.kubeconfig),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()
