"""The flags for limits, places, retries and rights arrive in the pods of a launch, from the command line."""

from __future__ import annotations

import json
import re
import signal
import time

import pytest

from tests.cluster.deploy_terminal_scene import Terminal

FLAGS = ("--node-selector", "pool=nowhere", "--tolerations", "dedicated=ml:NoSchedule", "--cpu-limit", "2")
ON = (*FLAGS, "--spot", "--pod-token", "--retries", "2", "--gpus", "1")
OFF = (*FLAGS, "--no-spot", "--no-pod-token", "--retries", "0", "--gpus", "0")
SPOT = {
    "key": "kubernetes.azure.com/scalesetpriority",
    "operator": "Equal",
    "value": "spot",
    "effect": "NoSchedule",
}


@pytest.fixture
def terminal(workshop, own_folders):
    with open("one_line.py", "w") as file:
        file.write("def greet():\n    print('done')\n")
    made = Terminal(workshop, own_folders)
    made.settings()
    # What a flag says wins over the environment.
    made.environ |= {"FAIRING_SPOT": "True", "FAIRING_RETRIES": "1", "FAIRING_GPUS": "2", "FAIRING_POD_TOKEN": "True"}
    return made


def made_job(terminal, *words):
    """Launch, and return the Job as soon as it is there; nothing runs, for no node has its label."""
    jobs = f"/apis/batch/v1/namespaces/{terminal.workshop.namespace}/jobs"
    with terminal.start(*words) as child:
        end = time.monotonic() + 60
        while not (found := terminal.workshop.admin.get(jobs)["items"]):
            assert child.poll() is None, "".join(child.communicate())
            assert time.monotonic() < end
            time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=30)
    return found[0]


@pytest.mark.parametrize(("flags", "on"), [(ON, True), (OFF, False)])
def test_what_the_flags_of_train_say_is_what_its_job_asks_for(terminal, flags, on):
    job = made_job(terminal, "train", "one_line.py:greet", *flags)["spec"]

    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["nodeSelector"]["pool"] == "nowhere"
    assert {"key": "dedicated", "operator": "Equal", "value": "ml", "effect": "NoSchedule"} in pod["tolerations"]
    assert (SPOT in pod["tolerations"]) is on
    assert container["resources"]["limits"]["cpu"] == "2"
    assert container["resources"]["limits"].get("nvidia.com/gpu") == ("1" if on else None)
    assert pod["automountServiceAccountToken"] is on
    assert job["backoffLimit"] == (2 if on else 0)


def test_a_node_that_does_not_come_is_reported_and_raised_after_node_wait(terminal):
    out, err = terminal.type("train", "one_line.py:greet", *OFF, "--node-wait", "4", code=4)

    assert json.dumps("done") not in out
    # What is seen first may be that the scheduler has not decided yet, which has a minute of its own.
    assert re.search(r"Waiting for (up to|\d+ s so far, at most) \d+ (s|min)", err)
    assert re.search(r"It lasted \d+ s", err)
    assert "To stop it: fairing-azure delete fairing-job-" in err
    assert terminal.workshop.nothing_left()
