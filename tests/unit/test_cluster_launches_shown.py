"""What is noted of launches for others, and how the launches of a namespace are listed."""

from __future__ import annotations

import json
import time

import pytest

from fairing_az_jupyter.frontends.views.cluster_launches import lines_of_cluster_launches, of_cluster_launches
from fairing_az_jupyter.models import ClusterLaunch
from fairing_az_jupyter.outputs.launch_notes import LaunchNote

NOW = time.time()
LAUNCHES = (
    ClusterLaunch("fairing-job-1a2b3c4d", "succeeded", "HousingServeWithALongName", owner="somebody-elses-server"),
    ClusterLaunch("fairing-job-2a2b3c4d", "failed", "Model", owner="mine", own=True, raised="ValueError: no\nrows" * 9),
    ClusterLaunch("fairing-job-3a2b3c4d", "running", "", label="third try", created=NOW, files=3, size=12_345_678),
    ClusterLaunch("fairing-job-4a2b3c4d", "cancelled", "fit\x1b[31m", created=1.0, files=0, size=0),
)


def test_launches_of_a_namespace_fit_into_80_columns_with_what_each_has_raised_below_it():
    head, *lines = lines_of_cluster_launches(LAUNCHES, 80)

    assert head.split() == ["JOB", "CLASS", "STATE", "WHO", "WHEN", "SIZE"]
    assert max(map(len, [head, *lines])) <= 80
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [each.name for each in LAUNCHES]
    assert lines[2].startswith("  ValueError: no rows")
    assert "mine (you)" in lines[1]
    assert "third try" in lines[3]
    assert "MB" in lines[3]
    assert "\x1b" not in "".join(lines)


def test_launches_of_a_namespace_are_a_table_in_a_notebook_and_an_empty_one_says_so():
    html = of_cluster_launches(LAUNCHES).html()

    assert "HousingServeWithALongName" in html
    assert "ValueError: no rows" in html
    [said] = lines_of_cluster_launches((), 80)
    assert said.startswith("No training was launched in this namespace")


def test_a_note_comes_back_as_it_was_and_of_anything_else_only_what_is_sound_is_taken():
    note = LaunchNote("fairing-job-1", "failed", "Model", owner="mine", created=NOW, ended=NOW + 1, raised="x" * 9_000)
    back = LaunchNote.parse(note.dump())

    assert (back.job, back.state, back.created, back.ended) == ("fairing-job-1", "failed", NOW, NOW + 1)
    assert len(back.raised) == 500
    odd = {"job": "j", "state": 3, "created": "now", "ended": float("1e400"), "owner": ["a"], "more": 1, "task": "T"}
    assert LaunchNote.parse(json.dumps(odd).encode()) == LaunchNote("j", task="T")


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"job": 1}', b"\xff", b"[" * 100_000, b'{"state": "running"}'])
def test_what_is_no_note_is_none(data):
    assert LaunchNote.parse(data) is None
