"""The stand's node has weather: starts go through what a real node reports of itself, and succeed after it."""

from __future__ import annotations

import pytest

from tests.cluster.team_scene import Team
from tests.stand.node.weather import KINDS, Weather

VOLUMES = {"volumes": [{"name": "data", "emptyDir": {}}]}


@pytest.fixture
def team(node, stand, namespace):
    setup = stand.correct_setup(namespace)
    return Team(stand, setup, node.push_base(setup.login_server, setup.dockerconfig))


def test_a_seed_gives_the_same_kinds_in_the_same_order_and_there_are_many():
    pods = [{"metadata": {"name": f"p{number}", "namespace": "a"}} for number in range(40)]

    first, again, other = Weather(seed=3), Weather(seed=3), Weather(seed=4)
    for weather in (first, again, other):
        for pod in pods:
            weather.at(pod)

    assert first.given == again.given != other.given
    assert len(KINDS) >= 30


@pytest.mark.parametrize(
    ("kind", "reasons"),
    [
        ("mount-configmap", ["FailedMount"]),
        ("attach-elsewhere", ["FailedAttachVolume", "FailedMount"]),
        ("sandbox-deadline", ["FailedCreatePodSandBox"]),
        ("create-deadline", ["Failed"]),
        ("bad-day", ["FailedMount", "NetworkNotReady", "Failed", "BackOff"]),
    ],
)
def test_a_pod_runs_to_its_end_after_what_was_reported(team, node, kind, reasons):
    weather = node.weather(kind, scale=0.05)

    team.pod("p", "print('ran')", **VOLUMES)

    assert team.ended("p")["phase"] == "Succeeded"
    assert set(reasons) <= {reason for reason, _ in team.events("p")}
    assert weather.given == [("p", kind)]


def test_a_pull_that_fails_is_backed_off_from_and_tried_again_in_a_kubelets_words(team, node):
    node.weather("pull-timeout-thrice")
    team.pod("p", "print('ran')")

    said = team.waits("p", "ImagePullBackOff")["message"]

    assert said.startswith(f'Back-off pulling image "{team.image}": ErrImagePull: failed to pull and unpack image')
    assert said.endswith("i/o timeout")
    assert team.ended("p")["phase"] == "Succeeded"
    failed = [message for reason, message in team.events("p") if reason == "Failed"]
    assert f'Failed to pull image "{team.image}": {said.partition("ErrImagePull: ")[2]}' in failed


def test_the_weather_is_for_one_namespace_and_ends(team, node):
    weather = node.weather("pull-500", namespace="another")
    team.pod("p", "print('ran')")
    team.ended("p")
    node.calm()

    assert weather.given == []
    assert "Failed" not in {reason for reason, _ in team.events("p")}
