"""Where the way to the cluster comes from: the pod's own service account first, a kubeconfig otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.transport.connection import Connection, check_tls_files, proxy_for
from fairing_az_jupyter.clients.kube.transport.identity import TokenFile, token_claims
from fairing_az_jupyter.clients.kube.transport.kubeconfig import kubeconfig_paths, read_kubeconfig
from fairing_az_jupyter.exceptions import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping


def find_connection(
    *,
    environ: Mapping[str, str],
    service_account_folder: Path,
    kubeconfig: str | Path | None,
    context: str | None,
    namespace: str | None,
    seconds: float,
) -> Connection:
    """Find the way to the cluster, without asking the cluster.

    Args:
        environ: The environment.
        service_account_folder: Where Kubernetes puts the token, the certificates and the namespace into a pod.
        kubeconfig: A kubeconfig to use whatever else is there.
        context: A kubeconfig's context to use whatever else is there.
        namespace: The namespace to use; None is the one that is found.
        seconds: How long a kubeconfig's credential plug-in may take.

    Returns:
        The way to the cluster; its `source` says which was used and why the others were not.

    Raises:
        ServiceError: There is none, or what there is is broken.

    """
    if kubeconfig is not None or context is not None:
        asked = "it was requested" if kubeconfig is not None else "its context was requested"
        paths = (str(Path(kubeconfig).expanduser()),) if kubeconfig is not None else kubeconfig_paths(environ)
        why = f"{asked}, so the pod's service account was not used"
    else:
        missing = _not_in_cluster(environ, service_account_folder)
        if not missing:
            found = _in_cluster(environ, service_account_folder, namespace)
            check_tls_files(found)
            return found
        paths, why = kubeconfig_paths(environ), f"not running in a pod with a service account ({missing})"
        if not any(Path(path).expanduser().exists() for path in paths):
            raise ServiceError(
                f"No cluster found: not running in a pod with a service account ({missing}), and no kubeconfig at "
                f"{' + '.join(paths)}. Without a cluster only LocalBackend can train and deploy.",
                hint="Open the notebook on Kubeflow, or fetch a kubeconfig: "
                "az aks get-credentials --resource-group GROUP --name CLUSTER",
                code="no-cluster",
                service="kubernetes",
            )
    found = read_kubeconfig(paths, context=context, namespace=namespace, environ=environ, seconds=seconds, why=why)
    check_tls_files(found)
    return found


def _not_in_cluster(environ: Mapping[str, str], folder: Path) -> str:
    """Say why this is not a pod with a service account; empty where it is one.

    Source: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
    """
    for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        if not environ.get(name):
            return f"the variable {name} is not set"
    if not environ["KUBERNETES_SERVICE_PORT"].isdecimal():
        return "the variable KUBERNETES_SERVICE_PORT is not a port"
    token = folder / "token"
    try:
        token.stat()
    except (FileNotFoundError, NotADirectoryError):
        return f"{token} does not exist"
    except OSError:
        pass  # it is there, and reading it will say what is wrong
    return ""


def _in_cluster(environ: Mapping[str, str], folder: Path, namespace: str | None) -> Connection:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ["KUBERNETES_SERVICE_PORT"]
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    credential = TokenFile(folder / "token")
    try:
        own = (folder / "namespace").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        own = ""
    return Connection(
        server=server,
        credential=credential,
        namespace=namespace or own or token_claims(credential.authorization()).namespace or "default",
        source=f"the service account of this pod ({folder}): it takes precedence over kubeconfigs",
        in_cluster=True,
        ca_file=str(folder / "ca.crt"),
        proxy=proxy_for(server, environ),
    )
