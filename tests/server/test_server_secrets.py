"""Secret values go into the cluster and nowhere else: no answer, no log, no process shows them."""

from __future__ import annotations

import subprocess

import psutil
import pytest

MARK = "MaRk3d"
VALUES = {
    "client_id": f"{MARK}-client-id",
    "client_secret": f"{MARK}~client.secret_value-0123456789abcdefghi",
    "tenant_id": f"{MARK}-tenant-id",
    "subscription_id": f"{MARK}-subscription-id",
    "expires": "2999-01-01",
}
GOOD = {
    "client_id": "7d9f3b1a-0000-4000-8000-00000000000a",
    "client_secret": f"{MARK}~abcdefghijklmnopqrstuvwxyz01234567",
    "tenant_id": "7d9f3b1a-0000-4000-8000-00000000000b",
    "subscription_id": "7d9f3b1a-0000-4000-8000-00000000000c",
}
CLUSTER = {"values": {"backend": "KubeflowAzureBackend", "docker_registry": "contosoml.azurecr.io", "namespace": "a"}}


def _kubeconfig(folder, port=1):
    path = folder / "kubeconfig"
    path.write_text(
        "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],"
        f" clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{port}'}}}}], users: [{{name: u, user: {{}}}}]}}"
    )
    return path


@pytest.fixture(scope="module")
def secret_server(tmp_path_factory):
    """A server whose cluster refuses every connection."""
    from tests.server.conftest import Server

    folder = tmp_path_factory.mktemp("secrets")
    found = Server(folder, KUBECONFIG=str(_kubeconfig(folder)))
    yield found
    found.stop()


@pytest.mark.kernel
@pytest.mark.parametrize(
    "body",
    [
        {"sources": CLUSTER, "values": VALUES},
        {"sources": CLUSTER, "values": GOOD},
        {"sources": CLUSTER, "values": {**GOOD, "client_secret": f"{MARK} with spaces\n"}},
        {"sources": CLUSTER, "values": {**GOOD, "tenant_id": ""}},
        {"sources": CLUSTER, "values": GOOD, "dry_run": True, "replace": True},
        {"sources": CLUSTER, "values": {"client_secret": GOOD["client_secret"]}, "only_secret": True},
        {"sources": CLUSTER, "values": {**GOOD, "expires": f"{MARK}"}},
        {"sources": CLUSTER, "values": {**GOOD, "client_secret": {"inner": f"{MARK}-x"}}},
        {"sources": CLUSTER, "values": {**GOOD, "client_secret": [f"{MARK}-x"]}},
        {"sources": CLUSTER, "values": {**GOOD, "client_secret": f"{MARK}" * 5000}},
        {"sources": CLUSTER, "values": {**GOOD, f"{MARK}_a_name": "x"}},
        {"sources": CLUSTER, "values": f"{MARK}-x"},
        {"sources": {"values": {"docker_registry": f"AccountKey={MARK}bGliZXJ0eWxpYmVydHlsaWJlcnR5bGliZXJ0eQ=="}}},
        {"sources": {"values": {f"{MARK}_SECRET_KEY_{MARK}": "x"}}, "values": GOOD},
        {f"{MARK}": 1},
        {"sources": CLUSTER, "values": GOOD, "azure": f"{MARK}"},
    ],
    ids=range(16),
)
def test_no_secret_value_is_in_an_answer_or_in_the_log(secret_server, body):
    answer = secret_server.ask("POST", "secrets", body)
    assert 400 <= answer.status_code < 600
    assert answer.status_code != 500, answer.text
    assert answer.json()["message"]
    assert MARK not in answer.text
    assert MARK not in secret_server.log
    for process in (secret_server.process.pid, secret_server.worker().pid):
        found = psutil.Process(process)
        assert MARK not in " ".join(found.cmdline()) + str(found.environ())


@pytest.mark.kernel
def test_a_body_that_is_no_json_is_not_shown(secret_server):
    data = f'{{"values": {{"client_secret": "{MARK}-broken'
    answer = secret_server.ask("POST", "secrets", data=data, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert MARK not in answer.text + secret_server.log


@pytest.mark.kernel
def test_a_missing_value_is_named_and_an_ill_formed_one_says_why(secret_server):
    # Whether values are right is found out before the cluster is asked for anything but what there is.
    answer = secret_server.ask("POST", "secrets", {"sources": CLUSTER, "values": {}})
    assert answer.status_code in {422, 502, 504}
    assert answer.json()["hint"]


def test_values_are_in_no_file_of_the_server(secret_server):
    secret_server.ask("POST", "secrets", {"sources": CLUSTER, "values": GOOD})
    found = subprocess.run(
        ["grep", "-rl", MARK, str(secret_server.home), str(secret_server.root)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert found.stdout == ""


def test_what_is_asked_again_is_refused_with_its_reason():
    from fairing_az_jupyter.exceptions import InputError
    from fairing_az_jupyter.frontends.server import problems
    from fairing_az_jupyter.frontends.server.inputs import ServicePrincipal
    from fairing_az_jupyter.frontends.server.operations.secrets import _answers
    from fairing_az_jupyter.setup.principal import gather

    for values, said in (({"client_id": f"{MARK} x"}, "AZ_CLIENT_ID"), ({}, "client_id is missing")):
        answers = _answers(ServicePrincipal(**values))
        with pytest.raises(InputError) as refused:
            gather(environ=None, file=None, ask=answers, needed=("client_id",), keepable=frozenset())
        status, body = problems.from_error(refused.value)
        assert status == 422
        assert said in body["message"]
        assert body["errors"][0]["field"] == "values.client_id"
        assert MARK not in str(body)
