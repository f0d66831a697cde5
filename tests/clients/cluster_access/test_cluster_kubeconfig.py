"""Where the way to the cluster comes from: the pod's service account, or a kubeconfig with all that it may hold."""

from __future__ import annotations

import base64
import os

import pytest
import trustme

from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.clients.kube.transport.identity import TokenFile, token_claims
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import CredentialError
from tests.clients.cluster_access_scene import broken, failing
from tests.clients.cluster_scene import pod_environment, service_account_token
from tests.marked import MARK
from tests.stand.api_server import TOKEN


def test_a_pods_service_account_goes_before_a_kubeconfig(api, pod, kubeconfig):
    environ = {**pod_environment(api), "KUBECONFIG": str(kubeconfig({"token": "other"}))}
    with Cluster.connect(environ, pod) as cluster:
        assert (cluster.namespace, cluster.in_cluster) == ("team-a", True)
        assert cluster.server_version() == "v1.34.4"
        assert "service account of this pod" in cluster.source
        assert "takes precedence over kubeconfigs" in cluster.source
        assert MARK not in repr(cluster)
        assert api.host in repr(cluster)


def test_outside_a_pod_the_kubeconfig_is_used_and_says_why(kubeconfig, tmp_path):
    path = kubeconfig({"token": TOKEN}, context={"namespace": "team-b"})
    with Cluster.connect({"KUBECONFIG": str(path)}, tmp_path / "none") as cluster:
        assert (cluster.namespace, cluster.in_cluster) == ("team-b", False)
        assert cluster.server_version() == "v1.34.4"
        assert "context 'aks'" in cluster.source
        assert "KUBERNETES_SERVICE_HOST is not set" in cluster.source


def test_the_kubeconfig_in_the_home_folder_is_found(kubeconfig, tmp_path):
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "ca.pem").write_bytes(b"")
    path = kubeconfig({"token": TOKEN})
    (tmp_path / ".kube" / "config").write_text(path.read_text().replace("ca.pem", str(tmp_path / "ca.pem")))
    with Cluster.connect({"HOME": str(tmp_path)}, tmp_path / "none") as cluster:
        assert cluster.server_version() == "v1.34.4"
        assert cluster.namespace == "default"


def test_several_kubeconfigs_are_merged_and_missing_ones_passed_over(kubeconfig, tmp_path):
    full = kubeconfig({"token": TOKEN})
    (tmp_path / "first").write_text("{contexts: [], users: [], clusters: []}")
    environ = {"KUBECONFIG": os.pathsep.join([str(tmp_path / "none"), str(tmp_path / "first"), str(full)])}
    with Cluster.connect(environ, tmp_path / "none") as cluster:
        assert cluster.server_version() == "v1.34.4"


@pytest.mark.parametrize("asked", [{"kubeconfig": True}, {"context": "aks"}])
def test_what_is_asked_for_goes_before_the_pod(api, pod, kubeconfig, asked):
    path = kubeconfig({"token": TOKEN})
    environ = {**pod_environment(api), "KUBECONFIG": str(path)}
    choice = {"kubeconfig": path} if "kubeconfig" in asked else asked
    with Cluster.connect(environ, pod, **choice, namespace="mine") as cluster:
        assert (cluster.in_cluster, cluster.namespace) == (False, "mine")
        assert "requested" in cluster.source


def test_no_way_to_a_cluster_says_what_was_looked_for(tmp_path):
    error = failing(lambda: Cluster.connect({"HOME": str(tmp_path)}, tmp_path / "none"))
    assert error.code == "no-cluster"
    assert "KUBERNETES_SERVICE_HOST is not set" in error.message
    assert str(tmp_path / ".kube" / "config") in error.message
    assert "az aks get-credentials" in error.hint


def test_a_pod_without_a_token_is_told_from_no_pod(api, tmp_path):
    environ = {**pod_environment(api), "HOME": str(tmp_path)}
    error = failing(lambda: Cluster.connect(environ, tmp_path / "none"))
    assert f"{tmp_path / 'none' / 'token'} does not exist" in error.message


@pytest.mark.parametrize("token", ["", " \n", f"{MARK} {MARK}", f"{MARK}\r\nX-Evil: 1", f"{MARK}é", f"{MARK}\x00"])
def test_a_token_file_without_a_usable_token_is_named(api, pod, token):
    (pod / "token").write_text(token, newline="")
    error = failing(lambda: Cluster.connect(pod_environment(api), pod))
    assert (type(error), error.code) == (CredentialError, "credential-malformed")
    assert str(pod / "token") in error.message


def test_a_token_file_that_can_not_be_read_is_named(api, pod):
    (pod / "token").unlink()
    (pod / "token").mkdir()
    error = failing(lambda: Cluster.connect(pod_environment(api), pod))
    assert (type(error), error.code) == (CredentialError, "credential-unreadable")
    assert str(pod / "token") in error.message


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_line_end_in_the_token_file_is_no_part_of_the_token(api, pod, line_end):
    (pod / "token").write_text(TOKEN + line_end, newline="")
    (pod / "namespace").write_text("team-a" + line_end, newline="")
    with Cluster.connect(pod_environment(api), pod) as cluster:
        assert cluster.server_version() == "v1.34.4"
        assert cluster.namespace == "team-a"


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_certificates_that_are_missing_or_broken_are_named(api, pod, content):
    if content is None:
        (pod / "ca.crt").unlink()
    else:
        (pod / "ca.crt").write_bytes(content)
    error = failing(lambda: Cluster.connect(pod_environment(api), pod))
    assert error.code == "cluster-ca"
    assert str(pod / "ca.crt") in error.message


def test_without_its_file_the_namespace_comes_from_the_token(api, pod):
    (pod / "namespace").unlink()
    (pod / "token").write_text(service_account_token(namespace="team-z"))
    with Cluster.connect(pod_environment(api), pod) as cluster:
        assert cluster.namespace == "team-z"


def test_the_token_file_is_read_again_after_a_minute(tmp_path):
    now = [0.0]
    path = tmp_path / "token"
    path.write_text("one")
    tokens = TokenFile(path, clock=lambda: now[0])
    path.write_text("two")
    assert tokens.authorization().reveal() == "Bearer one"
    now[0] = 61.0
    assert tokens.authorization().reveal() == "Bearer two"
    path.unlink()
    now[0] = 200.0
    assert tokens.authorization().reveal() == "Bearer two"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "a.e30.c", "a.W10.c", "a.eyJleHAiOiJ4In0.c", "a.bnVsbA.c", "...."])
def test_a_token_that_says_nothing_about_itself_is_no_error(token):
    assert token_claims(SecretValue(f"Bearer {token}")).service_account == ""
    assert token_claims(None).subject == ""


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"[1, 2]", "not a valid kubeconfig"),
        (b"just text", "not a valid kubeconfig"),
        (b"{contexts: {}}", "has no current context"),
        (b"{contexts: [], users: [], clusters: []}", "has no current context"),
        (b"{contexts: [{context: {}}], current-context: x}", "not a valid kubeconfig"),
        (f"a: [{MARK}".encode(), "not valid YAML (line 1)"),
        (f"a: b\ntoken: {MARK}: x".encode(), "not valid YAML (line 2)"),
        (b"\xff\xfe\x00\x01", "not UTF-8 text"),
        (broken(clusters=[]), "not a valid kubeconfig"),
        (broken(clusters=[{"name": "k", "cluster": {}}]), "names no usable server"),
        (broken(clusters=[{"name": "k", "cluster": {"server": "https://h:99999"}}]), "names no usable server"),
        (broken(clusters=[{"name": "k", "cluster": {"server": "ftp://h"}}]), "names no usable server"),
        (broken(users=[]), "no user 'u'"),
        (broken(users=[{"name": "u", "user": [MARK]}]), "names no usable server"),
        (broken(users=[{"name": "u", "user": {"token": f"{MARK} {MARK}"}}]), "token"),
    ],
)
def test_a_broken_kubeconfig_is_named_without_quoting_it(tmp_path, content, says):
    path = tmp_path / "config"
    path.write_bytes(content)
    error = failing(lambda: Cluster.connect({"KUBECONFIG": str(path)}, tmp_path / "none"))
    assert error.code in {"kubeconfig", "credential-malformed"}
    assert "kubeconfig" in error.message
    assert says in error.message


def test_a_kubeconfig_that_is_a_folder_is_named(tmp_path):
    error = failing(lambda: Cluster.connect({"KUBECONFIG": str(tmp_path)}, tmp_path / "none"))
    assert f"{tmp_path} can't be read" in error.message


def test_a_kubeconfig_that_was_asked_for_and_is_missing_is_named(tmp_path):
    error = failing(lambda: Cluster.connect({}, tmp_path / "none", tmp_path / "gone"))
    assert f"{tmp_path / 'gone'} does not exist" in error.message


def test_a_context_that_is_missing_names_those_that_are_there(kubeconfig, tmp_path):
    path = kubeconfig({"token": TOKEN})
    error = failing(lambda: Cluster.connect({}, tmp_path / "none", path, context="other"))
    assert "has no context 'other'" in error.message
    assert "aks" in error.hint


def test_a_certificate_that_a_kubeconfig_names_and_is_missing_is_named(kubeconfig, tmp_path):
    path = kubeconfig({"token": TOKEN}, cluster={"certificate-authority": "gone.pem"})
    error = failing(lambda: Cluster.connect({}, tmp_path / "none", path))
    assert error.code == "kubeconfig"
    assert "a certificate that does not exist" in error.message


def test_a_token_file_of_a_kubeconfig_is_read_again(api, kubeconfig, tmp_path):
    (tmp_path / "token").write_text(TOKEN)
    with Cluster.connect({}, tmp_path / "none", kubeconfig({"tokenFile": "token"})) as cluster:
        cluster.server_version()
        api.tokens = {"next"}
        (tmp_path / "token").write_text("next")
        assert cluster.server_version() == "v1.34.4"


def test_a_user_name_and_password_are_sent(api, kubeconfig, tmp_path):
    login = "Basic " + base64.b64encode(b"ada:secret").decode()
    api.tokens = {login}
    with Cluster.connect({}, tmp_path / "none", kubeconfig({"username": "ada", "password": "secret"})) as cluster:
        assert cluster.server_version() == "v1.34.4"


def test_a_client_certificate_is_used_and_a_broken_one_named(authority, kubeconfig, tmp_path):
    _certificate, key = authority.write_pair(tmp_path, "ada", "ada@example.com")
    user = {"client-certificate": "ada.crt", "client-key": "ada.key", "token": TOKEN}
    with Cluster.connect({}, tmp_path / "none", kubeconfig(user)) as cluster:
        assert cluster.server_version() == "v1.34.4"

    trustme.CA().issue_cert("eve@example.com").private_key_pem.write_to_path(key)
    error = failing(lambda: Cluster.connect({}, tmp_path / "none", kubeconfig(user)))
    assert (type(error), error.code) == (CredentialError, "credential-certificate")
