"""A correct set-up on the test stand that a fault may change before it is checked."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import services
from fairing_az_jupyter.preflight.checklist import all_checks
from fairing_az_jupyter.preflight.runner import run_checks
from fairing_az_jupyter.settings import sources

if TYPE_CHECKING:
    from pathlib import Path

    from fairing_az_jupyter.models import CheckResult
    from fairing_az_jupyter.preflight.context import CheckContext
    from tests.stand.stand import Setup, Stand

_MERGE = "application/merge-patch+json"


@dataclasses.dataclass
class Scene:
    """What is checked, and where.

    Args:
        stand: The servers.
        setup: The set-up on them.
        settings: The settings, by their names in the notebook.
        environ: The environment.
        service_account_folder: Where the pod has its service account.
        python: The notebook's Python, as (major, minor).
        fairing: The version of Fairing that is installed.
        installs: Whether the notebook's requirements.txt asks for something.
        deadline: Seconds that a call may take.

    """

    stand: Stand
    setup: Setup
    settings: dict[str, Any]
    environ: dict[str, str]
    service_account_folder: Path
    python: tuple[int, int] = (3, 11)
    fairing: str | None = "1.0.2"
    installs: bool = True
    deadline: float = 9.0

    @classmethod
    def of(cls, stand: Stand, setup: Setup) -> Scene:
        """Return the scene of a set-up in which nothing is wrong."""
        others = ("AZURE_", "AZ_", "ARM_", "FAIRING_", "DOCKER_", "KUBE")
        environ = {name: value for name, value in os.environ.items() if not name.startswith(others)}
        environ |= {**setup.environment, "HOME": str(setup.service_account), "PATH": "/nowhere"}
        return cls(stand, setup, dict(setup.settings), environ, setup.service_account)

    def context(self) -> CheckContext:
        """Return what is checked."""
        resolved, errors = sources.resolve_usable(cell=self.settings, cluster={"namespace": self.setup.namespace})
        return dataclasses.replace(
            services.subject_of(resolved, errors, self.environ, "train.ipynb"),
            service_account_folder=self.service_account_folder,
            python=self.python,
            fairing=self.fairing,
            installs=self.installs,
            timeout=min(4.0, self.deadline),
            deadline=self.deadline,
        )

    def check(self) -> dict[str, CheckResult]:
        """Check everything; return the results by their checks."""
        return {result.check: result for result in run_checks(all_checks(self.context()))}

    def api(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """Change an object of the namespace as an administrator; `path` goes on behind `/namespaces/NAME/`."""
        kind = _MERGE if method == "PATCH" else "application/json"
        address = f"/api/v1/namespaces/{self.setup.namespace}/{path}"
        answer = self.stand.control_plane.admin.call(method, address, body, kind=kind)
        assert answer.ok, answer.text

    def azcreds(self, **values: str | None) -> None:
        """Change values of Secret `azcreds`; None takes a key away."""
        data = {key: None if value is None else _encoded(value) for key, value in values.items()}
        self.api("PATCH", "secrets/azcreds", {"data": data})

    def acrcreds(self, config: dict[str, Any]) -> None:
        """Change what is in Secret `acrcreds`."""
        self.api("PATCH", "secrets/acrcreds", {"data": {".dockerconfigjson": _encoded(json.dumps(config))}})

    def login(self, password: str, *, user: str | None = None, host: str | None = None) -> None:
        """Change the login in Secret `acrcreds`."""
        user = user or self.setup.client
        auth = _encoded(f"{user}:{password}")
        self.acrcreds({"auths": {host or self.setup.login_server: {"auth": auth}}})

    def role(self, *, but: tuple[str, str, str]) -> None:
        """Give `default-editor` all rights of kubeflow-edit but one verb.

        Args:
            but: API group, resource and verb that are missing.

        """
        admin = self.stand.control_plane.admin
        base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.setup.namespace}"
        rules = []
        for rule in admin.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/kubeflow-edit")["rules"]:
            for resource in rule["resources"]:
                found = (rule["apiGroups"][0], resource)
                verbs = [verb for verb in rule["verbs"] if (*found, verb) != but]
                rules.append({"apiGroups": [found[0]], "resources": [resource], "verbs": verbs})
        admin.post(f"{base}/roles", {"metadata": {"name": "less"}, "rules": rules})
        admin.delete(f"{base}/rolebindings/default-editor")
        context = {"kind": "ServiceAccount", "name": "default-editor", "namespace": self.setup.namespace}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "less"}
        body = {"metadata": {"name": "less"}, "roleRef": reference, "subjects": [context]}
        admin.post(f"{base}/rolebindings", body)
        self.wait_for_rights(but)

    def wait_for_rights(self, but: tuple[str, str, str]) -> None:
        """Wait until the API server has seen the change of roles."""
        api = self.stand.control_plane.api(self.setup.profile.editor)
        group, resource, verb = but
        for _ in range(200):
            lost = not api.may(verb, resource, self.setup.namespace, group)
            if lost and api.may("list", "pods", self.setup.namespace):
                return
        msg = f"the right to {verb} {resource} did not go away"
        raise AssertionError(msg)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
