"""What a notebook may do, as a real API server says it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.clients.kube.objects.facts import Access
from fairing_az_jupyter.preflight.checks.permission_checks import checks, in_words
from fairing_az_jupyter.preflight.context import CheckContext
from fairing_az_jupyter.preflight.runner import Check, Finding, run_checks
from fairing_az_jupyter.settings import Settings, from_notebook

RBAC = "/apis/rbac.authorization.k8s.io/v1"
EXIT_SCRIPT = """
import sys, time, threading
from pathlib import Path
from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.clients.kube.objects.facts import Access
import os
cluster = Cluster.connect(os.environ, Path(sys.argv[1]), timeout=60, deadline=60)
ask = lambda: cluster.can_all([Access("get", f"r{number}") for number in range(20)])
threading.Thread(target=ask, daemon=True).start()
time.sleep(1)
print("ready")
"""


@pytest.fixture
def checked(kubernetes, stand):
    """Return a function that checks a set-up's rights and closes the cluster afterwards."""
    opened = []

    def checked(setup, *, pod=True, token=None, seconds=9.0, **settings):
        environ = setup.environment if pod else {"KUBECONFIG": str(setup.kubeconfig)}
        folder = setup.service_account if pod else setup.service_account / "none"
        if token:
            (folder / "token").write_text(token)
        context = CheckContext(Settings(**{**from_notebook(setup.settings), **settings}), timeout=min(4.0, seconds))
        cluster = Cluster.connect(environ, folder, timeout=min(4.0, seconds), deadline=seconds)
        opened.append(cluster)
        given = [standing("cluster", cluster), standing("cluster.namespace", None)]
        return {result.check: result for result in run_checks([*given, *checks(context)])}

    yield checked
    for cluster in opened:
        cluster.close()


def standing(name, value):
    return Check(name, name, "why", "thing", lambda _: Finding("pass", "thing", "fine", value=value))


def statuses(results):
    return {name.removeprefix("permissions."): r.status for name, r in results.items() if name.startswith("perm")}


def allow_only(stand, setup, rules, *, until="events"):
    """Give `default-editor` these rules and nothing else."""
    admin, base = stand.control_plane.admin, f"{RBAC}/namespaces/{setup.namespace}"
    body = [
        {
            "apiGroups": [group],
            "resources": kinds.split(),
            "verbs": verbs.split(),
            **({"resourceNames": names[0].split()} if names else {}),
        }
        for group, kinds, verbs, *names in rules
    ]
    admin.post(f"{base}/roles", {"metadata": {"name": "some"}, "rules": body})
    context = {"kind": "ServiceAccount", "name": "default-editor", "namespace": setup.namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "some"}
    admin.post(f"{base}/rolebindings", {"metadata": {"name": "some"}, "roleRef": reference, "subjects": [context]})
    api = stand.control_plane.api(setup.profile.editor)
    end = time.monotonic() + 10
    while not api.may("list", until, setup.namespace) and time.monotonic() < end:
        time.sleep(0.02)


def test_kubeflow_edit_may_do_everything_in_a_pod_and_by_kubeconfig(stand, namespace, checked):
    setup = stand.correct_setup(namespace)

    assert set(statuses(checked(setup)).values()) == {"pass"}
    assert set(statuses(checked(setup, pod=False)).values()) == {"pass"}


def test_without_any_rights_one_check_fails_and_names_the_binding(stand, namespace, checked):
    setup = stand.correct_setup(namespace, role=None)
    results = checked(setup)

    skipped = dict.fromkeys(("pods", "builds", "endpoints"), "skipped")
    assert statuses(results) == {"jobs": "fail", **skipped, "prepare": "warn"}
    jobs = results["permissions.jobs"]
    assert "create, get, list, watch, delete jobs.batch" in jobs.message
    assert jobs.fixes[0].command == (
        "kubectl create rolebinding default-editor-kubeflow-edit --clusterrole=kubeflow-edit "
        f"--serviceaccount={namespace}:default-editor --namespace={namespace}"
    )
    assert "administrator" in jobs.fixes[1].command
    assert not jobs.fixable
    assert "get pods/log" in results["permissions.pods"].message


def test_a_reader_is_told_every_verb_that_is_missing(stand, namespace, checked):
    results = checked(stand.correct_setup(namespace, role="kubeflow-view"))

    assert "may not create, delete jobs.batch in namespace" in results["permissions.jobs"].message
    assert "can read Secret 'azcreds' and Secret 'acrcreds'" in results["permissions.prepare"].message
    assert [name for name, status in statuses(results).items() if status == "fail"] == ["jobs"]


def test_a_missing_log_is_told_alone(stand, namespace, checked):
    setup = stand.correct_setup(namespace, role=None)
    every = "create get list watch patch delete"
    rules = [
        ("batch", "jobs", every),
        ("apps", "deployments", every),
        ("", "pods events services pods/portforward secrets", every),
        ("", "serviceaccounts", "get"),
    ]
    allow_only(stand, setup, rules)
    results = checked(setup)

    fine = dict.fromkeys(("jobs", "builds", "endpoints"), "pass")
    assert statuses(results) == {**fine, "pods": "fail", "prepare": "warn"}
    assert "may not get pods/log in namespace" in results["permissions.pods"].message
    assert "patch serviceaccounts default-editor" in results["permissions.prepare"].message
    assert "breaks nothing" in results["permissions.prepare"].message


def test_pods_that_may_be_read_and_not_made_are_enough_and_their_events_are_not_needed(stand, namespace, checked):
    setup = stand.correct_setup(namespace, role=None)
    every = "create get list watch patch delete"
    rules = [
        ("batch", "jobs", every),
        ("apps", "deployments", every),
        ("", "services secrets", every),
        ("", "pods", "get list watch"),
        ("", "pods/log", "get"),
        ("", "serviceaccounts", "get patch"),
    ]
    allow_only(stand, setup, rules, until="pods")

    assert set(statuses(checked(setup)).values()) == {"pass"}


@pytest.mark.parametrize(
    ("readable", "credential", "status"),
    [
        ("azcreds", "auto", "fail"),
        ("azcreds", "workload-identity", "fail"),
        ("acrcreds", "secret", "fail"),
        ("acrcreds", "auto", "warn"),
        ("acrcreds", "workload-identity", "warn"),
    ],
)
def test_a_secret_that_a_launch_needs_and_may_not_be_read_fails(
    stand, namespace, checked, readable, credential, status
):
    setup = stand.correct_setup(namespace, role=None)
    every = "create get list watch patch delete"
    rules = [
        ("batch", "jobs", every),
        ("apps", "deployments", every),
        ("", "pods pods/log events services serviceaccounts", every),
        ("", "secrets", "create patch"),
        ("", "secrets", "get", readable),
    ]
    allow_only(stand, setup, rules)

    result = checked(setup, credential=credential)["permissions.prepare"]

    unread = {"azcreds": "acrcreds", "acrcreds": "azcreds"}[readable]
    assert (result.status, result.code) == (status, "verbs-missing")
    assert f"get secrets {unread} in namespace" in result.message
    assert f"so neither a launch nor this check can read Secret '{unread}'." in result.message


def test_rights_on_secrets_by_name_are_rights_on_these_secrets(stand, namespace, checked):
    setup = stand.correct_setup(namespace, role=None)
    allow_only(
        stand,
        setup,
        [
            ("", "secrets", "create"),
            ("", "secrets", "get patch", "azcreds acrcreds"),
            ("", "serviceaccounts", "get patch", "default-editor"),
            ("", "events", "list"),
        ],
    )

    assert checked(setup)["permissions.prepare"].status == "pass"


def test_rights_on_two_secrets_by_name_do_not_let_a_build_have_one_of_its_own(stand, namespace, checked):
    setup = stand.correct_setup(namespace, role=None)
    every = "create get list watch patch delete"
    rules = [
        ("batch", "jobs", every),
        ("apps", "deployments", every),
        ("", "pods pods/log events services", every),
        ("", "secrets", "get patch", "azcreds acrcreds"),
        ("", "serviceaccounts", "get patch", "default-editor"),
    ]
    allow_only(stand, setup, rules)
    results = checked(setup)

    assert results["permissions.builds"].status == "fail"
    assert "may not create, patch secrets in namespace" in results["permissions.builds"].message
    assert "fix permissions.builds first" in results["permissions.prepare"].message
    by_azure = statuses(checked(setup, builder="acr-tasks"))
    assert by_azure == {"jobs": "pass", "pods": "pass", "endpoints": "pass", "prepare": "warn"}


def test_endpoints_by_kserve_need_rights_on_inference_services_and_none_to_make_services(stand, namespace, checked):
    setup = stand.correct_setup(namespace, role=None)
    every = "create get list watch patch delete"
    rules = [
        ("batch", "jobs", every),
        ("apps", "deployments", "get list watch"),
        ("", "pods pods/log events secrets serviceaccounts", every),
        ("", "services", "list"),
    ]
    allow_only(stand, setup, rules)
    result = checked(setup, endpoint_kind="inference-service")["permissions.endpoints"]

    assert result.status == "fail"
    assert "may not create, get, list, watch, patch, delete inferenceservices.serving.kserve.io in" in result.message
    assert "services;" not in result.message


def test_forwarding_is_only_needed_outside_of_the_cluster(stand, namespace, checked):
    setup = stand.correct_setup(namespace, role=None)
    every = "create get list watch patch delete"
    rules = [
        ("batch", "jobs", every),
        ("apps", "deployments", every),
        ("", "pods pods/log events services secrets serviceaccounts", every),
    ]
    allow_only(stand, setup, rules)

    assert checked(setup)["permissions.endpoints"].status == "pass"
    outside = checked(setup, pod=False)["permissions.endpoints"]
    assert outside.status == "fail"
    assert "create pods/portforward" in outside.message


def test_a_user_of_another_kind_is_bound_by_name(stand, namespace, checked):
    setup = stand.correct_setup(namespace)
    stand.kubernetes_front.answer(_review("Ada.Lovelace@contoso.com"), path="/selfsubjectreviews$")
    stand.kubernetes_front.answer(_review(None), path="/selfsubjectaccessreviews$")
    (setup.kubeconfig).write_text(setup.kubeconfig.read_text().replace(setup.profile.editor, "opaque-token"))
    results = checked(setup, pod=False)

    assert results["permissions.jobs"].fixes[0].command == (
        "kubectl create rolebinding ada.lovelace-contoso.com-kubeflow-edit --clusterrole=kubeflow-edit "
        f"--user=Ada.Lovelace@contoso.com --namespace={namespace}"
    )


@pytest.mark.parametrize("fault", ["refuse", "drop", "hang", "proxy_page"])
def test_a_cluster_that_answers_no_questions_is_one_finding(stand, namespace, checked, fault):
    setup = stand.correct_setup(namespace)
    act = getattr(stand.kubernetes_front, fault)
    act(*([500] if fault == "refuse" else []), path="/selfsubjectaccessreviews$")
    results = checked(setup, seconds=1.0)

    bad = {name: status for name, status in statuses(results).items() if status != "skipped"}
    assert bad in ({"jobs": "unknown"}, {"jobs": "fail"})
    assert not [result for result in results.values() if result.code == "bug"]


def test_questions_that_hang_do_not_keep_the_process_alive(stand, namespace):
    setup = stand.correct_setup(namespace)
    stand.kubernetes_front.hang(path="/selfsubjectaccessreviews$")
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", EXIT_SCRIPT, str(setup.service_account)],
        env={**os.environ, **setup.environment},
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )

    assert done.stdout == "ready\n"
    assert time.monotonic() - began < 30


def test_missing_rights_are_named_by_resource():
    missing = [
        Access("create", "jobs", "batch"),
        Access("get", "pods", subresource="log"),
        Access("delete", "jobs", "batch"),
    ]

    assert in_words(missing) == "create, delete jobs.batch; get pods/log"


def _review(user):
    from tests.stand.web import json_answer

    status = {"userInfo": {"username": user}} if user else {"allowed": False}
    return json_answer(201, {"kind": "Review", "status": status})
