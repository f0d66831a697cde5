"""Where the way to the cluster comes from: the pod's service account, or a kubeconfig with all that it may hold."""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import sys
import time
from datetime import datetime, timedelta, timezone

import psutil
import pytest
import trustme
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fairing_az_jupyter.clients.cluster import Cluster
from fairing_az_jupyter.clients.hidden import Hidden
from fairing_az_jupyter.clients.kube.connection import proxy_for
from fairing_az_jupyter.clients.kube.identity import TokenFile, token_claims
from fairing_az_jupyter.exceptions import CredentialError, ServiceError
from tests.clients.cluster_servers import (
    MARK,
    TOKEN,
    ApiServer,
    Authority,
    page,
    pod_environment,
    pod_folder,
    service_account_token,
    serving,
    written,
)


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def api(authority):
    with serving(ApiServer(), authority.certificate()) as api:
        yield api


@pytest.fixture
def pod(authority, tmp_path):
    return pod_folder(tmp_path / "pod", authority)


@pytest.fixture
def kubeconfig(api, authority, tmp_path):
    """Return a function that writes a kubeconfig for the server, with this user entry."""

    def write(user, *, name="config", cluster=None, context=None):
        (tmp_path / "ca.pem").write_bytes(authority.pem)
        server = {"server": f"https://{api.address}", "certificate-authority": "ca.pem"}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "aks",
            "contexts": [{"name": "aks", "context": {"cluster": "k", "user": "ada", **(context or {})}}],
            "clusters": [{"name": "k", "cluster": server | (cluster or {})}],
            "users": [{"name": "ada", "user": user}],
        }
        path = tmp_path / name
        path.write_text(yaml.safe_dump(content))
        return path

    return write


@pytest.fixture
def plugin(tmp_path):
    """Return a function that writes a credential plug-in, and the section that names it."""

    def write(code, **section):
        script = tmp_path / "plugin.py"
        script.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{code}\n")
        script.chmod(0o755)
        return {"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "./plugin.py", **section}}

    return write


def handing_out(**fields):
    answer = {"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "status": fields}
    return f"print({json.dumps(json.dumps(answer))})"


def failing(call):
    with pytest.raises(ServiceError) as caught:
        call()
    assert MARK not in written(caught.value)
    assert caught.value.hint
    return caught.value


def test_a_pods_service_account_goes_before_a_kubeconfig(api, pod, kubeconfig):
    environ = {**pod_environment(api), "KUBECONFIG": str(kubeconfig({"token": "other"}))}
    with Cluster.connect(environ, pod) as cluster:
        assert (cluster.namespace, cluster.in_cluster) == ("team-a", True)
        assert cluster.server_version() == "v1.34.4"
        assert "service account of this pod" in cluster.source
        assert "no kubeconfig was looked at" in cluster.source
        assert MARK not in repr(cluster)
        assert api.address in repr(cluster)


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
        assert "asked for" in cluster.source


def test_no_way_to_a_cluster_says_what_was_looked_for(tmp_path):
    error = failing(lambda: Cluster.connect({"HOME": str(tmp_path)}, tmp_path / "none"))
    assert error.code == "no-cluster"
    assert "KUBERNETES_SERVICE_HOST is not set" in error.message
    assert str(tmp_path / ".kube" / "config") in error.message
    assert "az aks get-credentials" in error.hint


def test_a_pod_without_a_token_is_told_from_no_pod(api, tmp_path):
    environ = {**pod_environment(api), "HOME": str(tmp_path)}
    error = failing(lambda: Cluster.connect(environ, tmp_path / "none"))
    assert f"{tmp_path / 'none' / 'token'} is not there" in error.message


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
    assert token_claims(Hidden(f"Bearer {token}")).service_account == ""
    assert token_claims(None).subject == ""


def broken(**parts):
    """Return a kubeconfig with these parts in place of good ones."""
    content = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": MARK}}],
    }
    return yaml.safe_dump(content | parts).encode()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"[1, 2]", "not shaped"),
        (b"just text", "not shaped"),
        (b"{contexts: {}}", "has no current context"),
        (b"{contexts: [], users: [], clusters: []}", "has no current context"),
        (b"{contexts: [{context: {}}], current-context: x}", "not shaped"),
        (f"a: [{MARK}".encode(), "no YAML (line 1)"),
        (f"a: b\ntoken: {MARK}: x".encode(), "no YAML (line 2)"),
        (b"\xff\xfe\x00\x01", "no "),
        (broken(clusters=[]), "not shaped"),
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
    assert f"{tmp_path / 'gone'} is not there" in error.message


def test_a_context_that_is_missing_names_those_that_are_there(kubeconfig, tmp_path):
    path = kubeconfig({"token": TOKEN})
    error = failing(lambda: Cluster.connect({}, tmp_path / "none", path, context="other"))
    assert "has no context 'other'" in error.message
    assert "aks" in error.hint


def test_a_certificate_that_a_kubeconfig_names_and_is_missing_is_named(kubeconfig, tmp_path):
    path = kubeconfig({"token": TOKEN}, cluster={"certificate-authority": "gone.pem"})
    error = failing(lambda: Cluster.connect({}, tmp_path / "none", path))
    assert error.code == "kubeconfig"
    assert "a certificate that is not there" in error.message


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
    certificate = authority.ca.issue_cert("ada@example.com")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    user = {"client-certificate": "cert.pem", "client-key": "key.pem", "token": TOKEN}
    with Cluster.connect({}, tmp_path / "none", kubeconfig(user)) as cluster:
        assert cluster.server_version() == "v1.34.4"

    trustme.CA().issue_cert("eve@example.com").private_key_pem.write_to_path(tmp_path / "key.pem")
    error = failing(lambda: Cluster.connect({}, tmp_path / "none", kubeconfig(user)))
    assert (type(error), error.code) == (CredentialError, "credential-certificate")


def test_a_plug_in_hands_out_a_token(kubeconfig, plugin, tmp_path):
    code = (
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "assert info['spec'] == {'interactive': False} and sys.argv[1:] == ['get-token'] and os.environ['X'] == 'y'\n"
        + handing_out(token=TOKEN, expirationTimestamp="2099-01-01T00:00:00Z")
    )
    path = kubeconfig(plugin(code, args=["get-token"], env=[{"name": "X", "value": "y"}]))
    with Cluster.connect({"PATH": os.environ["PATH"]}, tmp_path / "none", path) as cluster:
        assert cluster.server_version() == "v1.34.4"
    assert TOKEN not in path.read_text()


def test_a_plug_in_is_asked_again_when_its_token_is_refused(api, kubeconfig, plugin, tmp_path):
    (tmp_path / "out").write_text(TOKEN)
    status = "{'token': open('%s').read()}" % (tmp_path / "out")
    code = f"print(json.dumps({{'kind': 'ExecCredential', 'status': {status}}}))"
    with Cluster.connect({}, tmp_path / "none", kubeconfig(plugin(code))) as cluster:
        cluster.server_version()
        api.tokens = {"next"}
        (tmp_path / "out").write_text("next")
        assert cluster.server_version() == "v1.34.4"


def test_a_plug_in_may_hand_out_a_certificate(api, authority, kubeconfig, plugin, tmp_path):
    certificate = authority.ca.issue_cert("ada@example.com")
    pair = {
        "clientCertificateData": certificate.cert_chain_pems[0].bytes().decode(),
        "clientKeyData": certificate.private_key_pem.bytes().decode(),
    }
    api.tokens = {""}
    with Cluster.connect({}, tmp_path / "none", kubeconfig(plugin(handing_out(**pair)))) as cluster:
        assert cluster.server_version() == "v1.34.4"
    assert "Authorization" not in api.requests[0]["headers"]


@pytest.mark.parametrize(
    ("code", "section", "says", "cure"),
    [
        (f"print('{MARK}', file=sys.stderr); sys.exit(3)", {}, "ended with exit code 3", "kubectl"),
        ("print('Please run az login', file=sys.stderr); sys.exit(1)", {}, "ended with exit code 1", "az login"),
        (f"print('{MARK}')", {}, "holds neither", "kubectl"),
        ("print('[]')", {}, "holds neither", "kubectl"),
        (handing_out(), {}, "holds neither", "kubectl"),
        (handing_out(clientCertificateData=MARK), {}, "holds neither", "kubectl"),
        ("", {"command": "no-such-login"}, "is not installed", "az aks install-cli"),
        ("", {"command": ""}, "names no command", "anew"),
        ("", {"apiVersion": "v9"}, "no apiVersion", "anew"),
        ("", {"interactiveMode": "Always"}, "wants to be used from a terminal", "kubelogin convert-kubeconfig"),
    ],
)
def test_a_plug_in_that_fails_is_named_without_quoting_it(kubeconfig, plugin, tmp_path, code, section, says, cure):
    path = kubeconfig(plugin(code, **section))
    error = failing(lambda: Cluster.connect(dict(os.environ), tmp_path / "none", path))
    assert (type(error), error.code) == (CredentialError, "credential-plugin")
    assert says in error.message
    assert cure in error.hint


def test_a_plug_in_that_hangs_is_ended_with_all_that_it_started(kubeconfig, plugin, tmp_path):
    code = (
        f"print('{MARK}', flush=True)\nimport subprocess\n"
        f"child = subprocess.Popen(['sleep', '60'])\n"
        f"open('{tmp_path / 'pid'}', 'w').write(str(child.pid))\ntime.sleep(60)"
    )
    path = kubeconfig(plugin(code))
    started = time.monotonic()

    error = failing(lambda: Cluster.connect(dict(os.environ), tmp_path / "none", path, deadline=1.5))

    assert time.monotonic() - started < 5
    assert "gave no answer in 1.5 s" in error.message
    child = int((tmp_path / "pid").read_text())
    psutil.wait_procs([psutil.Process(child)] if psutil.pid_exists(child) else [], timeout=5)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("server", "environ", "proxy"),
    [
        ("https://k.example.com", {}, None),
        ("https://k.example.com", {"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        ("https://k.example.com", {"https_proxy": "p:3128", "HTTPS_PROXY": "http://q"}, "http://p:3128"),
        ("https://k.example.com", {"HTTP_PROXY": "http://p:3128"}, None),
        ("https://k.example.com", {"HTTPS_PROXY": "http://p", "NO_PROXY": "a, example.com"}, None),
        ("https://k.example.com", {"HTTPS_PROXY": "http://p", "NO_PROXY": ".example.com"}, None),
        ("https://k.example.com", {"HTTPS_PROXY": "http://p", "NO_PROXY": "*.example.com"}, None),
        ("https://k.example.com", {"HTTPS_PROXY": "http://p", "NO_PROXY": "ample.com"}, "http://p"),
        ("https://k.example.com", {"HTTPS_PROXY": "http://p", "no_proxy": "*"}, None),
        ("https://10.0.0.1:443", {"HTTPS_PROXY": "http://p", "NO_PROXY": "10.0.0.0/8"}, None),
        ("https://10.0.0.1:443", {"HTTPS_PROXY": "http://p", "NO_PROXY": "10.0.0.1"}, None),
        ("https://10.0.0.1:443", {"HTTPS_PROXY": "http://p", "NO_PROXY": "11.0.0.0/8,"}, "http://p"),
        ("https://127.0.0.1:6443", {"HTTPS_PROXY": "http://p"}, None),
        ("https://localhost:6443", {"HTTPS_PROXY": "http://p"}, None),
    ],
)  # fmt: skip
def test_the_proxy_is_chosen_as_kubectl_does(server, environ, proxy):
    assert proxy_for(server, environ) == proxy


def test_a_proxy_of_the_process_is_not_used_for_a_host_that_is_exempt(api, pod, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with Cluster.connect(pod_environment(api), pod) as cluster:
        assert cluster.server_version() == "v1.34.4"


def test_a_proxy_that_does_not_answer_is_named_without_its_password(kubeconfig, tmp_path):
    path = kubeconfig({"token": TOKEN}, cluster={"proxy-url": f"http://ada:{MARK}@127.0.0.1:9"})
    with Cluster.connect({}, tmp_path / "none", path) as cluster:
        assert MARK not in repr(cluster)
        error = failing(cluster.server_version)
    assert error.code == "unreachable-proxy"
    assert "127.0.0.1:9" in error.message


def test_a_proxy_that_sends_a_page_instead_of_a_tunnel_is_named(kubeconfig, tmp_path):
    proxy = ApiServer()
    with serving(proxy):
        proxy.fault(page(403), times=9)
        path = kubeconfig({"token": TOKEN}, cluster={"proxy-url": f"http://{proxy.address}"})
        with Cluster.connect({}, tmp_path / "none", path) as cluster:
            assert failing(cluster.server_version).code == "unreachable-proxy"


def test_a_proxy_of_a_kind_that_can_not_be_used_is_named(kubeconfig, tmp_path):
    path = kubeconfig({"token": TOKEN}, cluster={"proxy-url": f"socks5://ada:{MARK}@127.0.0.1:9"})
    assert failing(lambda: Cluster.connect({}, tmp_path / "none", path)).code == "unreachable-proxy"


def test_https_asked_in_plain_http_is_named(api, kubeconfig, tmp_path):
    with serving(ApiServer()) as plain:
        plain.fault((400, {}, b"Client sent an HTTP request to an HTTPS server.\n"))
        path = kubeconfig({"token": TOKEN}, cluster={"server": f"http://{plain.address}"})
        with Cluster.connect({}, tmp_path / "none", path) as cluster:
            error = failing(cluster.server_version)
    assert error.code == "unreachable-plain-http"
    assert "https://" in error.hint


def test_a_server_below_a_path_is_reached_there(api, kubeconfig, tmp_path):
    path = kubeconfig({"token": TOKEN}, cluster={"server": f"https://{api.address}/k8s/clusters/c-1/"})
    with Cluster.connect({}, tmp_path / "none", path) as cluster:
        failing(cluster.server_version)
    assert api.requests[0]["path"] == "/k8s/clusters/c-1/version"


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_a_kubeconfig_may_say_that_no_certificate_is_checked(kubeconfig, tmp_path):
    (tmp_path / "other.pem").write_bytes(Authority().pem)
    cluster = {"insecure-skip-tls-verify": True, "certificate-authority": "other.pem"}
    with Cluster.connect({}, tmp_path / "none", kubeconfig({"token": TOKEN}, cluster=cluster)) as connected:
        assert connected.server_version() == "v1.34.4"


class PlainAuthority:
    """An authority that writes no key identifiers, as those of many clusters."""

    def __init__(self, folder):
        self._key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root = self._signed("ca", self._key, x509.BasicConstraints(ca=True, path_length=None), critical=True)
        host = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        leaf = self._signed("leaf", key, x509.SubjectAlternativeName([host]), critical=False)
        self.pem = root.public_bytes(Encoding.PEM)
        self._file = folder / "leaf.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._file.write_bytes(private + leaf.public_bytes(Encoding.PEM))

    def configure_cert(self, context):
        context.load_cert_chain(self._file)

    def _signed(self, name, key, extension, *, critical):
        subject, issuer = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, one)]) for one in (name, "ca"))
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).add_extension(extension, critical)
        start = datetime(2020, 1, 1, tzinfo=timezone.utc)
        builder = builder.not_valid_before(start).not_valid_after(start + timedelta(days=36500))
        return builder.sign(self._key, hashes.SHA256())


def test_certificates_without_key_identifiers_are_taken_as_by_kubectl(tmp_path):
    authority = PlainAuthority(tmp_path)
    with (
        serving(ApiServer(), authority) as api,
        Cluster.connect(pod_environment(api), pod_folder(tmp_path / "pod", authority)) as cluster,
    ):
        assert cluster.server_version() == "v1.34.4"
