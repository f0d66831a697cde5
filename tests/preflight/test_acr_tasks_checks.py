"""Whether Azure may build in the registry: told by roles, and by no run."""

from __future__ import annotations

import pytest

from .faults.registry import by_tasks
from .scene import Scene

TASKS = "Container Registry Tasks Contributor"


@pytest.fixture
def scene(stand, namespace):
    found = Scene.of(stand, stand.correct_setup(namespace))
    by_tasks(found)
    return found


def checked(scene):
    """Return what the check of tasks says; no run was started and nothing else fails."""
    results = scene.check()
    assert scene.stand.arm_front.count("scheduleRun") == 0
    bad = {name for name, result in results.items() if result.status in {"fail", "unknown"}}
    assert bad <= {"registry.tasks"}
    return results["registry.tasks"]


def only_on_the_account(scene):
    """Let the identity see no role assignments: what lets it see them is its role for the group."""
    arm, setup = scene.stand.arm, scene.setup
    arm.revoke(setup.oid, "Storage Account Contributor")
    account = f"{setup.group}/providers/Microsoft.Storage/storageAccounts/{setup.account}"
    arm.assign(setup.oid, "Storage Account Contributor", account)
    arm.assign(setup.oid, TASKS, setup.group)


@pytest.mark.parametrize("role", ["Contributor", "Owner"])
def test_wider_roles_of_the_group_let_azure_build_too(scene, role):
    scene.stand.arm.revoke(scene.setup.oid, TASKS)
    scene.stand.arm.assign(scene.setup.oid, role, scene.setup.group)

    assert checked(scene).status == "pass"


def test_roles_that_may_not_be_looked_at_are_unknown_and_never_missing(scene):
    only_on_the_account(scene)
    result = checked(scene)

    assert (result.status, result.code) == ("unknown", "roles-not-visible")
    assert TASKS in result.message
    assert result.fixes[0].command == (
        f'az role assignment create --assignee {scene.setup.client} --role "{TASKS}" --scope {scene.setup.registry}'
    )


def test_a_role_of_the_tenants_own_may_be_enough_and_is_unknown(scene):
    from tests.stand import roles

    scene.stand.arm.revoke(scene.setup.oid, TASKS)
    own = "11111111-2222-3333-4444-555555555555"
    roles.ROLES["Our builders"] = roles.Role(own, ("Microsoft.ContainerRegistry/registries/*",))
    try:
        scene.stand.arm.assign(scene.setup.oid, "Our builders", scene.setup.registry)
        result = checked(scene)
    finally:
        scene.stand.arm.revoke(scene.setup.oid, "Our builders")
        del roles.ROLES["Our builders"]

    assert (result.status, result.code) == ("unknown", "own-roles")
    assert own in result.message


def test_a_registry_that_is_not_set_is_not_looked_for(scene):
    scene.settings["DOCKER_REGISTRY"] = "<acr-name>.azurecr.io"
    result = scene.check()["registry.tasks"]

    assert result.status == "skipped"
    assert "DOCKER_REGISTRY" in result.message


def test_a_resource_manager_that_is_out_of_order_is_unknown(scene):
    scene.stand.arm_front.refuse(503, path="/registries")
    result = scene.check()["registry.tasks"]

    assert result.status == "unknown"
    assert "Traceback" not in result.message
