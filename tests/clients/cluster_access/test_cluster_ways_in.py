"""Where the way to the cluster comes from: the pod's service account, or a kubeconfig with all that it may hold."""

from __future__ import annotations

import os
import time

import psutil
import pytest

from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.clients.kube.transport.connection import proxy_for
from fairing_az_jupyter.exceptions import CredentialError
from tests.clients.cluster_access_scene import PlainAuthority, failing, handing_out
from tests.clients.cluster_scene import pod_environment, pod_folder, sign_in
from tests.marked import MARK
from tests.stand.api_server import TOKEN, ApiServer
from tests.stand.authority import Authority


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
    certificate, key = authority.write_pair(tmp_path, "ada", "ada@example.com")
    pair = {"clientCertificateData": certificate.read_text(), "clientKeyData": key.read_text()}
    api.tokens = {""}
    with Cluster.connect({}, tmp_path / "none", kubeconfig(plugin(handing_out(**pair)))) as cluster:
        assert cluster.server_version() == "v1.34.4"
    assert "Authorization" not in api.requests[0].headers


@pytest.mark.parametrize(
    ("code", "section", "says", "fix"),
    [
        (f"print('{MARK}', file=sys.stderr); sys.exit(3)", {}, "ended with exit code 3", "kubectl"),
        ("print('Please run az login', file=sys.stderr); sys.exit(1)", {}, "ended with exit code 1", "az login"),
        (f"print('{MARK}')", {}, "holds neither", "kubectl"),
        ("print('[]')", {}, "holds neither", "kubectl"),
        (handing_out(), {}, "holds neither", "kubectl"),
        (handing_out(clientCertificateData=MARK), {}, "holds neither", "kubectl"),
        ("", {"command": "no-such-login"}, "is not installed", "az aks install-cli"),
        ("", {"command": ""}, "names no command", "again"),
        ("", {"apiVersion": "v9"}, "no apiVersion", "again"),
        ("", {"interactiveMode": "Always"}, "requires a terminal", "kubelogin convert-kubeconfig"),
    ],
)
def test_a_plug_in_that_fails_is_named_without_quoting_it(kubeconfig, plugin, tmp_path, code, section, says, fix):
    path = kubeconfig(plugin(code, **section))
    error = failing(lambda: Cluster.connect(dict(os.environ), tmp_path / "none", path))
    assert (type(error), error.code) == (CredentialError, "credential-plugin")
    assert says in error.message
    assert fix in error.hint


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
    with ApiServer() as proxy:
        proxy.fault(sign_in(403), times=9)
        path = kubeconfig({"token": TOKEN}, cluster={"proxy-url": f"http://{proxy.host}"})
        with Cluster.connect({}, tmp_path / "none", path) as cluster:
            assert failing(cluster.server_version).code == "unreachable-proxy"


def test_a_proxy_of_a_kind_that_can_not_be_used_is_named(kubeconfig, tmp_path):
    path = kubeconfig({"token": TOKEN}, cluster={"proxy-url": f"socks5://ada:{MARK}@127.0.0.1:9"})
    assert failing(lambda: Cluster.connect({}, tmp_path / "none", path)).code == "unreachable-proxy"


def test_https_asked_in_plain_http_is_named(api, kubeconfig, tmp_path):
    with ApiServer() as plain:
        plain.fault((400, {}, b"Client sent an HTTP request to an HTTPS server.\n"))
        path = kubeconfig({"token": TOKEN}, cluster={"server": f"http://{plain.host}"})
        with Cluster.connect({}, tmp_path / "none", path) as cluster:
            error = failing(cluster.server_version)
    assert error.code == "unreachable-plain-http"
    assert "https://" in error.hint


def test_a_server_below_a_path_is_reached_there(api, kubeconfig, tmp_path):
    path = kubeconfig({"token": TOKEN}, cluster={"server": f"https://{api.host}/k8s/clusters/c-1/"})
    with Cluster.connect({}, tmp_path / "none", path) as cluster:
        failing(cluster.server_version)
    assert api.requests[0].path == "/k8s/clusters/c-1/version"


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_a_kubeconfig_may_say_that_no_certificate_is_checked(kubeconfig, tmp_path):
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    cluster = {"insecure-skip-tls-verify": True, "certificate-authority": str(other.bundle)}
    with Cluster.connect({}, tmp_path / "none", kubeconfig({"token": TOKEN}, cluster=cluster)) as connected:
        assert connected.server_version() == "v1.34.4"


def test_certificates_without_key_identifiers_are_taken_as_by_kubectl(tmp_path):
    authority = PlainAuthority(tmp_path)
    with (
        ApiServer(authority) as api,
        Cluster.connect(pod_environment(api), pod_folder(tmp_path / "pod", authority)) as cluster,
    ):
        assert cluster.server_version() == "v1.34.4"
