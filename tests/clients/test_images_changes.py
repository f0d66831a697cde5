"""An image's configuration with one layer more."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairing_az_jupyter.clients.oci.images import ConfigChanges
from fairing_az_jupyter.clients.oci.manifests import encoded
from fairing_az_jupyter.clients.oci.push.image_changes import changed, merged_env
from fairing_az_jupyter.exceptions import InputError

DIFF_ID = "sha256:" + "1" * 64
NAMES = st.text(st.characters(exclude_characters="=\0", codec="utf-8"), min_size=1, max_size=6)
VALUES = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=6)


def with_layer(config, changes=None, *, layers=None):
    layers = len(config["rootfs"]["diff_ids"] or []) if layers is None else layers
    return changed(config, changes or ConfigChanges(), diff_id=DIFF_ID, created_by="made", layers=layers, name="base")


def base(layers=2, history=None, **settings):
    config = {"os": "linux", "architecture": "amd64", "created": "2024-01-01T00:00:00Z", "config": settings}
    config["rootfs"] = {"type": "layers", "diff_ids": [f"sha256:{one:064x}" for one in range(layers)]}
    if history is not None:
        config["history"] = history
    return config


@given(st.lists(st.booleans(), max_size=12))
def test_history_and_layers_stay_in_step(empty):
    history = [{"created_by": "x", **({"empty_layer": True} if one else {})} for one in empty]
    layers = empty.count(False)
    made = with_layer(base(layers, history))
    assert made["rootfs"]["diff_ids"][-1] == DIFF_ID
    told = [entry for entry in made["history"] if not entry.get("empty_layer")]
    assert len(told) == len(made["rootfs"]["diff_ids"]) == layers + 1
    assert made["history"][:-1] == history
    assert made["history"][-1] == {"created": "2024-01-01T00:00:00Z", "created_by": "made"}


@pytest.mark.parametrize("history", [None, [], [{"created_by": "x"}]])
def test_a_history_that_is_absent_or_out_of_step_gets_no_entry(history):
    config = base(2, history)
    assert with_layer(config).get("history") == config.get("history")


def test_an_empty_base_begins_a_history():
    config = base(0)
    config["rootfs"]["diff_ids"] = None
    assert len(with_layer(config)["history"]) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(VALUES, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(NAMES.map(lambda name: f"x-{name}"), JSON, max_size=4))
def test_what_is_not_known_is_kept_and_the_base_stays_as_it_is(unknown):
    config = {**base(1), **unknown}
    before = copy.deepcopy(config)
    made = json.loads(encoded(with_layer(config)))
    assert config == before
    assert {name: made[name] for name in unknown} == unknown


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6), st.dictionaries(NAMES, VALUES, max_size=4))
def test_environment_variables_are_merged_by_name(entries, new):
    made = merged_env([f"{name}={value}" for name, value in entries], new)
    for name, value in new.items():
        assert made.count(f"{name}={value}") == 1
        assert sum(entry.partition("=")[0] == name for entry in made) == 1
    others = [f"{name}={value}" for name, value in entries if name not in new]
    assert [entry for entry in made if entry.partition("=")[0] not in new] == others


def test_every_change_is_made_and_the_rest_stays():
    config = base(1, Env=["PATH=/bin", "A=1"], Labels={"a": "1"}, ExposedPorts={"22/tcp": {}}, StopSignal="SIGINT")
    changes = ConfigChanges(
        env={"A": "2=3", "B": "ü"},
        working_dir="/app",
        entrypoint=("python",),
        cmd=("train.py",),
        user="1000:100",
        labels={"b": "2"},
        exposed_ports=("8080", "53/udp"),
    )
    assert with_layer(config, changes)["config"] == {
        "Env": ["PATH=/bin", "A=2=3", "B=ü"],
        "Labels": {"a": "1", "b": "2"},
        "ExposedPorts": {"22/tcp": {}, "8080/tcp": {}, "53/udp": {}},
        "StopSignal": "SIGINT",
        "Entrypoint": ["python"],
        "Cmd": ["train.py"],
        "WorkingDir": "/app",
        "User": "1000:100",
    }


def test_an_entrypoint_drops_the_bases_command():
    made = with_layer(base(1, Cmd=["sh"]), ConfigChanges(entrypoint=("python",)))
    assert "Cmd" not in made["config"]


@pytest.mark.parametrize("config", [None, {}, []])  # some tools write an empty object so
def test_a_base_without_settings_gets_them(config):
    image = {**base(1), "config": config}
    assert with_layer(image, ConfigChanges(env={"A": "1"}))["config"] == {"Env": ["A=1"]}


def test_the_same_base_gives_the_same_time_and_another_can_be_set():
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    made = with_layer(base(1), ConfigChanges(created=moment))
    assert made["created"] == made["history"][-1]["created"] if "history" in made else made["created"]
    assert made["created"] == "2026-01-02T01:04:05Z"
    config = base(1)
    del config["created"]
    assert with_layer(config)["created"] == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "changes",
    [
        {"env": {"A=B": "1"}},
        {"env": {"": "1"}},
        {"env": {"A": "x\0y"}},
        {"working_dir": "relative"},
        {"working_dir": ""},
        {"exposed_ports": ("0",)},
        {"exposed_ports": ("65536/tcp",)},
        {"exposed_ports": ("80/http",)},
        {"entrypoint": "python"},
        {"cmd": ("a\0",)},
        {"created": datetime(2026, 1, 1)},  # noqa: DTZ001 - that is what is refused
    ],
)
def test_a_change_that_no_image_can_have_is_refused(changes):
    with pytest.raises(InputError) as refused:
        with_layer(base(1), ConfigChanges(**changes))
    assert refused.value.code == "image-changes"
    assert refused.value.hint


@pytest.mark.parametrize(
    ("damage", "layers"),
    [
        ({"rootfs": None}, 1),
        ({"rootfs": {"diff_ids": "x"}}, 1),
        ({}, 3),
        ({"history": "x"}, 1),
        ({"history": ["x"]}, 1),
        ({"config": "x"}, 1),
        ({"config": {"Env": "A=1"}}, 1),
        ({"config": {"Env": [1]}}, 1),
        ({"config": {"Labels": ["a"]}}, 1),
    ],
)
def test_a_damaged_base_is_named(damage, layers):
    changes = ConfigChanges(env={"A": "1"}, labels={"a": "1"})
    with pytest.raises(InputError, match="'base' is damaged") as refused:
        with_layer({**base(1), **damage}, changes, layers=layers)
    assert refused.value.code == "image-damaged"
