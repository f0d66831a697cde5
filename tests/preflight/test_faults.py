"""One fault at a time on the real servers: exactly the right check tells it, with the right cure."""

from __future__ import annotations

import json
import logging
import time

import pytest

from . import readme_table
from .faults import FAULTS
from .faults.registry import by_tasks
from .scene import Scene

_FINE = {"pass", "warn", "skipped"}


@pytest.fixture
def scene(request, stand, namespace):
    options = getattr(request, "param", {})
    return Scene.of(stand, stand.correct_setup(namespace, **options))


def told(results):
    return {name: (result.status, result.message) for name, result in results.items() if result.status not in _FINE}


@pytest.mark.parametrize("scene", [{}, {"abac": True}, {"data_role": True}], indirect=True, ids=str)
def test_a_correct_set_up_is_all_green(scene):
    results = scene.check()

    assert told(results) == {}
    assert {name for name, result in results.items() if result.status == "warn"} == set()
    unneeded = {"azure.secret-expiry", "cluster.nodes"}
    assert {name for name, result in results.items() if result.status == "skipped"} <= unneeded


def test_a_correct_set_up_in_which_azure_builds_is_all_green_and_asks_for_no_builds_in_the_cluster(scene):
    by_tasks(scene)
    scene.settings["FAIRING_BUILD_MEMORY"] = "not-an-amount"

    results = scene.check()

    assert set(told(results)) == {"settings"}
    assert results["registry.tasks"].status == "pass"
    assert not {"permissions.builds", "registry.push"} & set(results)
    assert results["cluster.quota"].status == "pass"
    scene.settings["FAIRING_BUILD_MEMORY"] = "4Gi"
    assert told(scene.check()) == {}
    assert scene.stand.arm_front.count("scheduleRun") == 0


def test_endpoints_by_kserve_are_green_where_it_is_installed(scene):
    scene.settings["FAIRING_ENDPOINT_KIND"] = "inference-service"

    results = scene.check()

    assert told(results) == {}
    assert "is installed" in results["endpoint.kserve"].message
    assert "not needed" not in results["endpoint.kserve"].message


@pytest.mark.parametrize(
    ("scene", "fault"),
    [pytest.param(fault.options, fault, id=f"{fault.check}: {fault.name}") for fault in FAULTS],
    indirect=["scene"],
)
def test_for_each_fault_exactly_the_right_check_tells_it_with_its_cure(scene, fault, caplog):
    caplog.set_level(logging.DEBUG)
    fault.make(scene)

    began = time.monotonic()
    results = scene.check()
    seconds = time.monotonic() - began

    found = results[fault.check]
    assert found.status == fault.status, (found.message, told(results))
    assert set(told(results)) - set(fault.unseen) <= {fault.check, *fault.also}, told(results)
    assert {results[name].status for name in fault.unseen} <= {"unknown"}
    assert fault.code in {None, found.code}
    assert expected_fix(fault, scene.setup) in " | ".join(fix.command for fix in found.fixes)
    assert found.fixes
    assert found.message.endswith(".")
    written = json.dumps([result.to_dict() for result in results.values()]) + str(results) + caplog.text
    assert "Traceback" not in written
    assert [mark for mark in scene.setup.marks if mark in written] == []
    assert seconds < 15


def expected_fix(fault, setup):
    """Return the text that one of the fixes has, with this set-up's values."""
    return fault.fix.format(
        namespace=setup.namespace,
        client=setup.client,
        registry=setup.login_server.partition(".")[0],
        host=setup.login_server,
        group=setup.resource_group,
        account=setup.account,
        subscription=setup.subscription,
    )


@pytest.mark.parametrize("service", ["kubernetes", "entra", "arm", "blob", "registry", "public"])
def test_a_service_that_asks_for_patience_once_gets_it(scene, service):
    getattr(scene.stand, f"{service}_front").throttle(1, times=1)

    assert told(scene.check()) == {}


@pytest.mark.parametrize("service", ["kubernetes", "entra", "arm", "blob", "registry", "public"])
def test_a_connection_that_is_dropped_once_is_made_again(scene, service):
    getattr(scene.stand, f"{service}_front").drop(times=1)

    assert told(scene.check()) == {}


@pytest.mark.parametrize("service", ["kubernetes", "entra", "arm", "blob", "registry"])
def test_whatever_hangs_the_check_ends_within_15_seconds(scene, service):
    getattr(scene.stand, f"{service}_front").hang()

    began = time.monotonic()
    results = scene.check()

    assert time.monotonic() - began < 15
    assert {status for status, _ in told(results).values()} == {"unknown"}


def test_registries_of_others_that_hang_end_the_check_within_15_seconds(scene):
    scene.stand.public_front.hang()

    began = time.monotonic()
    results = scene.check()

    assert time.monotonic() - began < 15
    assert {name: status for name, (status, _) in told(results).items()} == {
        "image.base": "unknown",
        "image.builder": "fail",
    }


def test_there_are_at_least_40_faults_and_each_check_has_one(scene):
    assert len(FAULTS) >= 40
    here = set(scene.check())
    by_tasks(scene)
    assert {fault.check for fault in FAULTS} == here | set(scene.check())


def test_the_readmes_troubleshooting_table_is_made_from_these_faults():
    readme = readme_table.README.read_text(encoding="utf-8")

    assert readme_table.BEGIN in readme
    assert readme == readme_table.written(readme), "python -m tests.preflight.readme_table"
