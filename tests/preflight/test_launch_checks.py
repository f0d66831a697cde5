"""Dry runs of what a launch makes, on a real API server with real rules."""

from __future__ import annotations

import dataclasses
import json

import pytest

from fairing_az_jupyter import services
from fairing_az_jupyter.preflight.admission_rules import asks_beyond_quota, rule_in
from fairing_az_jupyter.preflight.context import CheckContext
from fairing_az_jupyter.settings import Settings

from .faults import admission
from .faults.registry import by_tasks
from .scene import Scene

_FINE = {"pass", "warn", "skipped"}


@pytest.fixture
def scene(stand, namespace):
    return Scene.of(stand, stand.correct_setup(namespace))


def told(results):
    return {name: (result.status, result.code) for name, result in results.items() if result.status not in _FINE}


def commands(result):
    return [fix.command for fix in result.fixes]


def made(scene):
    """Return all that is in the namespace and could come from a launch."""
    admin, found = scene.stand.control_plane.admin, []
    for path in ("api/v1/{}/pods", "api/v1/{}/services", "api/v1/{}/secrets", "apis/batch/v1/{}/jobs"):
        found += admin.get(f"/{path.format(f'namespaces/{scene.setup.namespace}')}")["items"]
    found += admin.get(f"/apis/apps/v1/namespaces/{scene.setup.namespace}/deployments")["items"]
    return sorted(each["metadata"]["name"] for each in found)


def test_dry_runs_leave_nothing_behind(scene):
    results = scene.check()

    assert {results[f"launch.{kind}"].status for kind in ("job", "build", "endpoint")} == {"pass"}
    assert made(scene) == ["acrcreds", "azcreds"]


def test_pods_are_tried_as_pods_since_only_pods_are_judged_by_some_rules(scene):
    scene.check()

    assert scene.stand.kubernetes_front.count("/pods$", "POST") == 3
    assert scene.stand.kubernetes_front.count("/jobs$", "POST") == 2
    assert scene.stand.kubernetes_front.count("/(deployments|services|secrets)$", "POST") == 3


def test_a_namespace_that_enforces_baseline_takes_a_launch_as_it_is(scene):
    admission.level("baseline")(scene)

    assert told(scene.check()) == {}


def test_under_restricted_a_launch_is_taken_with_restricted_pods_that_azure_builds(scene):
    admission.level("restricted")(scene)
    by_tasks(scene)
    scene.settings["FAIRING_POD_SECURITY"] = "restricted"

    assert told(scene.check()) == {}


@pytest.mark.parametrize("builder", ["layered", "kaniko"])
def test_a_quota_on_limits_is_kept_to_with_the_limit_that_the_cure_sets(scene, builder):
    scene.settings["FAIRING_BUILDER"] = builder
    admission.quota(limits_cpu="8", limits_memory="64Gi")(scene)
    found = scene.check()["launch.job"]
    assert (found.status, found.code) == ("fail", "quota-on-limits")

    flag, value = commands(found)[0].split()[-2:]
    scene.settings["FAIRING_CPU_LIMIT"] = value

    assert flag == "--cpu-limit"
    assert told(scene.check()) == {}


def test_amounts_beyond_a_limit_range_are_kept_to_with_the_cures(scene):
    admission.limit_range(max={"cpu": "500m", "memory": "1Gi"})(scene)
    found = scene.check()["launch.job"]
    assert (found.status, found.code) == ("fail", "limit-range")
    assert "fairing-azure fill train.ipynb --cpu 500m" in commands(found)
    scene.settings["FAIRING_CPU"] = "500m"
    found = scene.check()["launch.job"]
    assert "fairing-azure fill train.ipynb --memory 1Gi" in commands(found)

    amounts = {"MEMORY": "1Gi", "BUILD_CPU": "500m", "BUILD_MEMORY": "1Gi"}
    scene.settings.update({f"FAIRING_{name}": value for name, value in amounts.items()})

    assert told(scene.check()) == {}


def test_a_limit_range_with_defaults_that_suit_is_well(scene):
    admission.limit_range(default={"cpu": "4", "memory": "16Gi"})(scene)

    assert told(scene.check()) == {}


def test_who_may_not_make_pods_is_told_that_the_rules_for_them_stay_untried(scene):
    scene.role(but=("", "pods", "create"))

    results = scene.check()

    assert told(results) == {f"launch.{kind}": ("unknown", "pods-untried") for kind in ("job", "build", "endpoint")}
    assert "may not create" in results["launch.job"].message


def test_a_policy_that_says_cannot_is_not_taken_for_a_missing_role(scene):
    admission.policy("cannot", "false", "pods cannot be made here")(scene)

    results = scene.check()

    assert (results["launch.job"].status, results["launch.job"].code) == ("fail", "policy")
    assert "pods cannot be made here" in results["launch.job"].message


def test_a_policy_about_jobs_is_met_though_their_pods_are_taken(scene):
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "judged"}, "spec": {}}
    job["spec"] = {"template": {"spec": {**admission.pod()["spec"], "restartPolicy": "Never"}}}
    rule = "has(object.spec.activeDeadlineSeconds)"
    make = admission.policy(
        "deadline", rule, "jobs need a deadline", group="batch", plural="jobs", body=job, path="/apis/batch/v1"
    )
    make(scene)

    results = scene.check()

    # A build has a deadline of its own.
    assert told(results) == {"launch.job": ("fail", "policy")}
    assert "jobs need a deadline" in results["launch.job"].message


def test_a_webhook_that_does_not_answer_is_a_warning_since_a_launch_waits_for_it(scene, policies):
    webhook = policies.silent_webhook(scene.setup.namespace)

    results = scene.check()

    assert told(results) == {}
    assert {results[f"launch.{kind}"].status for kind in ("job", "build", "endpoint")} == {"warn"}
    assert webhook in results["launch.job"].message


def test_where_nothing_is_to_be_installed_a_build_that_would_fail_is_a_warning(scene):
    scene.installs = False
    admission.limit_range(max={"memory": "3Gi"})(scene)

    results = scene.check()

    assert told(results) == {}
    assert (results["launch.build"].status, results["launch.build"].code) == ("warn", "limit-range")
    assert "others need no build" in results["launch.build"].message


def test_restricted_pods_ask_for_no_room_for_a_build_that_is_never_made(scene):
    scene.installs = False
    scene.settings["FAIRING_POD_SECURITY"] = "restricted"
    admission.quota(requests_memory="3Gi")(scene)

    results = scene.check()

    assert told(results) == {}
    assert results["cluster.quota"].status == "pass"
    assert results["launch.build"].status == "warn"


def test_the_builder_kaniko_builds_whatever_is_installed(scene):
    scene.installs = False
    scene.settings["FAIRING_BUILDER"] = "kaniko"
    admission.limit_range(max={"memory": "3Gi"})(scene)

    assert told(scene.check()) == {"launch.build": ("fail", "limit-range")}


@pytest.mark.parametrize(("text", "asks"), [("", False), ("# nothing\n", False), ("xgboost\n", True), (None, False)])
def test_what_is_installed_is_read_from_the_requirements_beside_the_notebook(scene, tmp_path, text, asks):
    if text is not None:
        (tmp_path / "requirements.txt").write_text(text)
    found = services.subject_of(
        dataclasses.replace(resolved_of(scene)), (), scene.environ, str(tmp_path / "train.ipynb")
    )

    assert found.installs is asks


def resolved_of(scene):
    from fairing_az_jupyter.settings import sources

    return sources.resolve_usable(cell=scene.settings, cluster={"namespace": scene.setup.namespace})[0]


def test_nothing_of_a_secret_is_in_a_dry_run(scene):
    bodies = [body for kind in ("job", "build", "endpoint") for body in scene.context().planned(kind, "team-a")]

    assert [mark for mark in scene.setup.marks if mark in json.dumps(bodies)] == []


@pytest.mark.parametrize(
    ("text", "kind", "code", "fix"),
    [
        ("minimum cpu usage per Container is 2, but request is 1", "job", "limit-range", "--cpu 2"),
        ("maximum memory usage per Pod is 1Gi, but limit is 2147483648", "build", "limit-range", "--build-memory 1Gi"),
        ("maximum cpu usage per Container is 4, but no limit is specified", "job", "limit-range", "--cpu-limit 1"),
        ("cpu max limit to request ratio per Container is 2, but no limit", "job", "limit-range", "--cpu-limit 1"),
        ("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: runs as root", "job", "policy", "restricted"),
        ('admission webhook "w" denied the request: readOnlyRootFilesystem', "job", "policy", "restricted"),
        ('admission webhook "w" denied the request: no readinessProbe', "job", "policy", "exclude pods of Jobs"),
        ('admission webhook "w" denied the request: image docker.io/x', "job", "policy", "DOCKER_REGISTRY"),
        ("something else", "job", "not-allowed-by-rule", "administrator"),
    ],
)
def test_each_rule_has_the_setting_that_keeps_to_it(text, kind, code, fix):
    context = CheckContext(Settings(docker_registry="contoso.azurecr.io"), notebook="train.ipynb")

    rule = rule_in(text, context, kind, "team-a")

    assert rule.code == code
    assert fix in " | ".join(each.command for each in rule.fixes)


HIGHER = 'admission webhook "w" denied: container <model> {} limit <{}> is higher than the maximum allowed of <{}>'


@pytest.mark.parametrize(
    ("text", "kind", "settings", "fixes"),
    [
        (
            "maximum cpu usage per Container is 2, but limit is 4",
            "job",
            {"cpu_limit": "4"},
            ["--cpu-limit 2"],
        ),
        (
            "maximum cpu usage per Pod is 2, but limit is 4",
            "job",
            {"cpu": "3", "cpu_limit": "4"},
            ["--cpu 2", "--cpu-limit 2"],
        ),
        ("maximum cpu usage per Container is 2, but limit is 4", "build", {"build_cpu": "4"}, ["--build-cpu 2"]),
        ("maximum cpu usage per Container is 2, but request is 4", "job", {"cpu": "4"}, ["--cpu 2"]),
        ("Maximum cpu usage per Container is 2. No limit is specified.", "job", {"cpu": "1"}, ["--cpu-limit 1"]),
        (
            "[maximum memory usage per Container is 4Gi, but limit is 8Gi, maximum memory usage per Pod is 4Gi.]",
            "job",
            {"memory": "8Gi"},
            ["--memory 4Gi"],
        ),
        (
            "minimum cpu usage per Container is 2, but request is 1",
            "job",
            {"cpu_limit": "1"},
            ["--cpu-limit 2", "--cpu 2"],
        ),
        (HIGHER.format("cpu", "4", "2"), "job", {"cpu_limit": "4"}, ["--cpu-limit 2"]),
        (HIGHER.format("cpu", "1", "200m"), "job", {"cpu_limit": "1"}, ["--cpu 200m", "--cpu-limit 200m"]),
        (HIGHER.format("memory", "2Gi", "1Gi"), "job", {}, ["--memory 1Gi"]),
        (HIGHER.format("memory", "4Gi", "1Gi"), "build", {}, ["--build-memory 1Gi"]),
        ('admission webhook "w" denied the request: must set imagePullPolicy Always', "job", {}, []),
        ('admission webhook "w" denied the request: image pull secrets are wanted', "build", {}, []),
    ],
)
def test_amounts_beyond_a_bound_name_the_setting_that_is(text, kind, settings, fixes):
    context = CheckContext(Settings(docker_registry="contoso.azurecr.io", **settings), notebook="train.ipynb")

    commands = [each.command for each in rule_in(text, context, kind, "team-a").fixes]

    assert [each for each in commands if each.startswith("fairing-azure")] == [
        f"fairing-azure fill train.ipynb {each}" for each in fixes
    ]
    assert not [each for each in commands if "DOCKER_REGISTRY" in each]


@pytest.mark.parametrize(
    ("requested", "kind", "said"),
    [
        ("pods=1", "job", "no longer needed or ask"),
        ("limits.cpu=8,pods=1", "job", "lower FAIRING_CPU_LIMIT, or"),
        ("requests.nvidia.com/gpu=2", "endpoint", "lower FAIRING_GPUS, or"),
        ("requests.cpu=2,requests.memory=4Gi", "build", "lower FAIRING_BUILD_CPU or FAIRING_BUILD_MEMORY, or"),
    ],
)
def test_a_quota_that_is_exceeded_names_the_settings_of_what_it_counts(requested, kind, said):
    context = CheckContext(Settings(docker_registry="contoso.azurecr.io"), notebook="train.ipynb")
    text = f"exceeded quota: q, requested: {requested}, used: pods=1, limited: pods=1"

    assert said in rule_in(text, context, kind, "team-a").fixes[1].command


def test_rules_that_a_long_message_does_not_show_are_kept_to_as_well(scene):
    admission.policy("long", "false", f"{'image not allowed, ' * 40}runs as root, needs limits")(scene)

    found = scene.check()["launch.job"]

    assert (found.status, found.code) == ("fail", "policy")
    assert "runs as root" not in found.message
    assert "fairing-azure fill train.ipynb --pod-security restricted" in commands(found)
    assert "fairing-azure fill train.ipynb --cpu-limit 1" in commands(found)


@pytest.mark.parametrize(
    ("said", "beyond"),
    [
        ("exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3", False),
        (
            "exceeded quota: q, requested: pods=1,requests.cpu=2, used: pods=0, limited: pods=3,requests.cpu=1500m.",
            True,
        ),
        ("exceeded quota: q, requested: requests.cpu=1, used: requests.cpu=1, limited: requests.cpu=1500m", False),
    ],
)
def test_a_quota_that_is_used_up_is_told_from_one_that_is_too_small(said, beyond):
    assert asks_beyond_quota(said) is beyond


def test_a_quota_that_others_have_used_up_is_a_warning_since_a_launch_waits_for_their_end(scene):
    admin, pods = scene.stand.control_plane.admin, f"/api/v1/namespaces/{scene.setup.namespace}/pods"
    admin.post(pods, admission.pod())
    admission.quota(pods="1")(scene)

    results = scene.check()

    assert told(results) == {}
    assert (results["cluster.quota"].status, results["cluster.quota"].code) == ("warn", "quota-used-up")
