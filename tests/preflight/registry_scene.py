"""The registry's checks on the stand, and logins to write for them."""

from __future__ import annotations

import base64
import json
import os
from types import SimpleNamespace

from fairing_az_jupyter.clients.azure.service_principal import ServicePrincipal
from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.preflight.checks.registry_checks import checks
from fairing_az_jupyter.preflight.context import CheckContext
from fairing_az_jupyter.preflight.runner import Check, Finding, run_checks
from fairing_az_jupyter.settings import Settings, from_notebook

NAMES = ("registry.secret", "registry.secret-login", "registry.pull", "registry.push")


PASS = Finding("pass", "", "", value=SimpleNamespace(source="secret"))


def given(name, finding):
    return Check(name, name, "", "", lambda _: finding)


def checked(setup, *, changed=None, token=PASS, principal="azcreds", **more):
    """Run the checks of the registry as a pod of the set-up would, and return their results by name."""
    environ = {**os.environ, **setup.environment}
    settings = Settings(**from_notebook({**setup.settings, **(changed or {})}))
    context = CheckContext(settings, environ=environ, service_account_folder=setup.service_account, **more)
    if principal == "azcreds":
        principal = ServicePrincipal(setup.client, SecretValue(setup.secret), setup.tenant, setup.subscription)
    with Cluster.connect(environ, setup.service_account, namespace=setup.namespace, timeout=2, deadline=4) as cluster:
        before = [
            given("cluster", Finding("pass", "", "", value=cluster)),
            given("cluster.service-account", Finding("pass", "", "", value=())),
            given("azure.secret-keys", Finding("pass", "", "", value=principal)),
            given("azure.token", token),
        ]
        found = list(run_checks([*before, *checks(context)], deadline=15))
    results = {result.check: result for result in found if result.check in NAMES}
    shown = repr(results) + str(results) + json.dumps([result.to_dict() for result in results.values()])
    assert not [mark for mark in setup.marks if mark in shown]
    return results


def statuses(results):
    return [results[name].status for name in NAMES]


def write_login(stand, setup, config):
    text = config if isinstance(config, str) else json.dumps(config)
    path = f"/api/v1/namespaces/{setup.namespace}/secrets/acrcreds"
    data = {".dockerconfigjson": base64.b64encode(text.encode()).decode()}
    stand.control_plane.admin.patch(path, {"data": data})


def login(host, user, password):
    return {"auths": {host: {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}}}
