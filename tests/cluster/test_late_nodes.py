"""Nodes that come late, or never: launches wait as long as the user says, and say at once what they wait for."""

from __future__ import annotations

import dataclasses
import time

import pytest

from fairing_az_jupyter.clients.kube.diagnosis.waits import Waits
from fairing_az_jupyter.exceptions import BuildFailedError, EndpointError, JobFailedError
from tests.cluster.real_launches_scene import at_once, launches  # noqa: F401 - fixtures
from tests.cluster.yard_scene import as_in_a_notebook  # noqa: F401 - a fixture
from tests.stand.node.pools import Pool

REPORTED_SECONDS = 10
# What the user reads of who brings the node.
COMES = {"classic": "triggered scale-up: [{aks-pool-", "karpenter": "nodeclaim/pool-", "silent": "nodes are available"}


@pytest.mark.parametrize("style", COMES)
def test_job_build_and_endpoint_succeed_on_a_node_that_comes_after_90_seconds(pools, launches, style):  # noqa: F811
    came = pools(Pool(cpu="8", memory="32Gi"), style=style, delay=90)
    began = time.monotonic()

    # An endpoint's own time is far shorter than the wait for its node.
    outcomes = at_once(job=launches.train, build=launches.build, endpoint=lambda: launches.serve(ready_timeout=60.0))

    assert {name: outcome.error for name, outcome in outcomes.items()} == dict.fromkeys(outcomes)
    assert min(came.joined.values()) - began > 80
    for name, outcome in outcomes.items():
        launched = outcome.when("launched.")
        assert outcome.when("No node can run") - launched < REPORTED_SECONDS, (name, outcome.texts())
        said = "\n".join(outcome.texts())
        assert COMES[style] in said, (name, said)
        assert "fairing-azure delete" in said


@pytest.mark.parametrize(
    ("style", "pool", "reason"),
    [
        ("classic", Pool(most=0), "max node group size reached"),
        ("classic", Pool(failure="quota exceeded"), "quota exceeded"),
        ("karpenter", Pool(most=0), "exceed limits for nodepool"),
        ("silent", Pool(most=0), "nodes are available"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pool_that_stays_at_zero_ends_a_launch_at_node_wait_with_the_reason(pools, launches, style, pool, reason):  # noqa: F811
    pools(pool, style=style, delay=3, interval=0.5)
    waits = Waits(node=8.0)
    for place in (launches.jobs, launches.endpoints):
        place.launcher = dataclasses.replace(place.launcher, waits=waits)
    began = time.monotonic()

    outcomes = at_once(job=launches.train, endpoint=launches.serve)

    assert time.monotonic() - began > waits.node
    assert isinstance(outcomes["job"].error, JobFailedError)
    assert isinstance(outcomes["endpoint"].error, EndpointError)
    for outcome in outcomes.values():
        assert outcome.error.code.startswith("unschedulable")
        assert reason in outcome.error.message
        assert outcome.when("No node can run") - outcome.when("launched.") < REPORTED_SECONDS
    assert launches.jobs.nothing_left()


def test_the_setting_says_how_long_a_build_waits_and_nothing_of_it_is_left(pools, launches):  # noqa: F811
    pools(Pool(most=0), style="classic", delay=3, interval=0.5)
    settings = launches.workshop.settings
    launches.workshop.settings = lambda **more: settings(node_wait="6s", **more)

    outcome = at_once(build=launches.build)["build"]

    assert isinstance(outcome.error, BuildFailedError)
    assert "No node can run" in outcome.error.message
    assert launches.workshop.nothing_left()


def test_without_a_wait_the_schedulers_first_word_ends_it(pools, launches):  # noqa: F811
    pools(Pool(most=0), style="classic", delay=3, interval=0.5)
    launches.jobs.launcher = dataclasses.replace(launches.jobs.launcher, waits=Waits(node=0.0))
    began = time.monotonic()

    outcome = at_once(job=launches.train)["job"]

    assert outcome.error.code.startswith("unschedulable")
    assert time.monotonic() - began < REPORTED_SECONDS
