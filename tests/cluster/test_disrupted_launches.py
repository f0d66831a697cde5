"""Pods that the cluster takes away: a training and a build go on to their good end, and say what happened."""

from __future__ import annotations

import threading

import pytest

from tests.cluster.real_launches_scene import at_once, launches  # noqa: F401 - fixtures
from tests.cluster.yard_scene import as_in_a_notebook  # noqa: F401 - a fixture
from tests.stand.node.kubelet import Machine

JOB, BUILD = "fairing-az-jupyter/kind=job", "fairing-az-jupyter/kind=build"
# Ends well at its second start, which the test allows by letting the first pod run until it is taken away.
TRAINING = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
print("started in", os.environ["HOSTNAME"], flush=True)
for second in range(12):
    time.sleep(1)
print("trained", flush=True)
"""


def taken_away(launches, disruptions, label, how):  # noqa: F811
    """Wait for the first pod of a launch, and take it away."""
    name, node = launches.pod_running(label, seconds=100)
    if how == "evicted":
        disruptions.evict(launches.namespace, name)
    elif how == "drained":
        disruptions.drain(node, namespace=launches.namespace)
        disruptions.uncordon(node)
    else:
        disruptions.uncordon()
        disruptions.vanish(node, delete_after=8)
    return name


def launched(launches, node, disruptions, label, how, launch):  # noqa: F811
    if how == "lost":
        disruptions.cordon()
        node.join(Machine(f"spot-{launches.namespace[-4:]}"))
    taken = []
    thread = threading.Thread(target=lambda: taken.append(taken_away(launches, disruptions, label, how)))
    thread.start()
    outcome = at_once(it=launch)["it"]
    thread.join(100)
    assert outcome.error is None, outcome.error
    [first] = taken
    assert any(first in text and "was removed" in text for text in outcome.texts()), outcome.texts()
    return first, outcome


@pytest.mark.parametrize("how", ["evicted", "drained", "lost"])
def test_a_training_whose_pod_is_taken_away_ends_well_and_shows_both_logs_in_order(
    launches,  # noqa: F811
    node,
    disruptions,
    how,
):
    first, outcome = launched(launches, node, disruptions, JOB, how, lambda: launches.train(TRAINING))

    *before, second, last = outcome.value.lines
    assert before[0] == f"started in {first}"
    assert second.startswith("started in ")
    assert (second != before[0], last) == (True, "trained")
    assert launches.jobs.nothing_left()


@pytest.mark.parametrize("how", ["evicted", "drained", "lost"])
def test_a_build_whose_pod_is_taken_away_ends_well_and_leaves_nothing(launches, node, disruptions, how):  # noqa: F811
    _, outcome = launched(launches, node, disruptions, BUILD, how, lambda: launches.build(f"greeter-{how}"))

    assert outcome.value.builder.image_tag
    assert launches.workshop.nothing_left(60)
