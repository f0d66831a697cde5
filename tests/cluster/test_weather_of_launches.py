"""Starts that stumble: a training and an endpoint pass under 20 kinds of weather, in a cluster's own words."""

from __future__ import annotations

import dataclasses

import pytest

from fairing_az_jupyter.clients.kube.diagnosis.waits import Waits
from tests.cluster.real_launches_scene import at_once, launches  # noqa: F401 - fixtures
from tests.cluster.yard_scene import as_in_a_notebook  # noqa: F401 - a fixture

SEEDS = range(20)
SCALE = 0.1


def scaled(waits):
    """Return waits that are as short as the weather's times: what passes in them passes on a real node."""
    return Waits(**{field: seconds * SCALE for field, seconds in dataclasses.asdict(waits).items()})


@pytest.mark.parametrize("seed", SEEDS)
def test_a_training_and_an_endpoint_pass_under_the_weather_of_a_seed(launches, node, seed):  # noqa: F811
    for place in (launches.jobs, launches.endpoints):
        place.launcher = dataclasses.replace(place.launcher, waits=scaled(Waits()))
    weather = node.weather(seed=seed, scale=SCALE, namespace=launches.namespace)

    outcomes = at_once(job=launches.train, endpoint=lambda: launches.serve(ready_timeout=20.0))

    assert len(weather.given) >= 2
    told = {name: outcome.texts() for name, outcome in outcomes.items()}
    assert {name: outcome.error for name, outcome in outcomes.items()} == dict.fromkeys(outcomes), (weather.given, told)
    assert outcomes["job"].value.lines == ("trained",)
    assert outcomes["endpoint"].value["path"] == "/predict"
