"""The way to a cluster that a kubeconfig describes.

The kubernetes package merges the files and knows the older kinds of login; its own messages are not passed on, because
they may quote a whole entry of the file, with its token.
Source: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

import base64
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fairing_az_jupyter.clients.kube.transport.connection import Connection, fresh_configuration, proxy_for
from fairing_az_jupyter.clients.kube.transport.exec_plugin import ExecPlugin, PluginCredential
from fairing_az_jupyter.clients.kube.transport.identity import Credential, FixedCredential, TokenFile, checked_token
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fairing_az_jupyter.clients.kube.transport.exec_plugin import PluginAnswer

_FETCH = "Fetch it again: az aks get-credentials --resource-group GROUP --name CLUSTER"


@dataclass(frozen=True)
class _Entries:
    """What one context of a kubeconfig names, as plain values."""

    context: str
    namespace: str
    cluster: dict[str, Any]
    user: dict[str, Any]
    user_folder: Path


def kubeconfig_paths(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the kubeconfig files that kubectl would read.

    Args:
        environ: The environment.

    Returns:
        What KUBECONFIG names, or `~/.kube/config`; they need not exist.

    """
    named = tuple(path for path in environ.get("KUBECONFIG", "").split(os.pathsep) if path)
    home = environ.get("HOME") or environ.get("USERPROFILE")
    return named or (str(Path(home or Path.home()) / ".kube" / "config"),)


def read_kubeconfig(
    paths: tuple[str, ...],
    *,
    context: str | None,
    namespace: str | None,
    environ: Mapping[str, str],
    seconds: float,
    why: str,
) -> Connection:
    """Read the way to a cluster from kubeconfig files.

    Args:
        paths: The files; those that don't exist are passed over.
        context: The context to use; None is the current one.
        namespace: The namespace to use; None is the context's.
        environ: The environment, for plug-ins and proxies.
        seconds: How long the credential plug-in may take.
        why: Why a kubeconfig is used, in words.

    Returns:
        The way to the cluster.

    Raises:
        ServiceError: The files can't be read or understood, or name no such context.
        CredentialError: The login that they describe does not work.

    """
    where = f"The kubeconfig {' + '.join(paths)}"
    persist: Callable[[], None] | None
    merged, persist = _merge(paths, where)
    entries = _entries(merged, context, where)
    credential: Credential | None = None
    section = entries.user.get("exec")
    # As in client-go, a token or a token file goes before a plug-in, and the file before the token.
    if entries.user.get("tokenFile"):
        credential = TokenFile(entries.user_folder / str(entries.user["tokenFile"]))
    elif isinstance(section, dict) and not entries.user.get("token"):
        reported = {
            "server": entries.cluster.get("server"),
            "certificate-authority-data": entries.cluster.get("certificate-authority-data"),
        }
        plugin = ExecPlugin(
            section, folder=entries.user_folder, environ=environ, seconds=seconds, cluster=_without_nothing(reported)
        )
        credential = _from_plugin(plugin, plugin.run(), entries.user)
        persist = None  # the answer is in the entry now, and does not belong into the file
    configuration, load_again = _load(merged, entries.context, persist, where)
    credential = credential or _LoadedCredential(configuration, load_again)
    credential.authorization()  # says now what is wrong with it
    server = str(configuration.host)
    return Connection(
        server=server,
        credential=credential,
        namespace=namespace or entries.namespace or "default",
        source=f"context '{entries.context}' of the kubeconfig {' + '.join(paths)}: {why}",
        in_cluster=False,
        ca_file=configuration.ssl_ca_cert,
        certificate_file=configuration.cert_file,
        key_file=configuration.key_file,
        verify=bool(configuration.verify_ssl),
        tls_server_name=entries.cluster.get("tls-server-name"),
        proxy=str(entries.cluster.get("proxy-url") or "") or proxy_for(server, environ),
    )


def _merge(paths: tuple[str, ...], where: str) -> tuple[Any, Callable[[], None]]:
    """Read the files and merge them; also return what writes a renewed login back."""
    import yaml  # noqa: PLC0415 - only where there is a kubeconfig
    from kubernetes.config import kube_config  # noqa: PLC0415 - takes 0.3 s and more

    try:
        merger = kube_config.KubeConfigMerger(os.pathsep.join(paths))
    except OSError as error:
        problem = f"can't be read: {error.strerror or 'not a usable file'}"
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = "is not valid YAML" + (f" (line {mark.line + 1})" if mark is not None else "")
    except UnicodeDecodeError:
        problem = "is not UTF-8 text"
    except Exception:  # noqa: BLE001 - the package does not check the shape of what it reads
        problem = "is empty, or not a valid kubeconfig"
    else:
        if merger.config is not None:
            return merger.config, merger.save_changes
        problem = "does not exist"
    raise _broken(where, problem, _FETCH)


def _entries(merged: Any, context: str | None, where: str) -> _Entries:  # noqa: ANN401 - kubernetes has no types
    """Find what a context names."""
    problem = "is not a valid kubeconfig" + (f" (looked for context '{context}')" if context else "")
    try:
        names = [str(entry["name"]) for entry in merged.value["contexts"]]
        name = context or str(merged.value.get("current-context") or "")
        chosen = merged["contexts"].get_with_name(name)["context"].value if name in names else {}
        cluster = merged["clusters"].get_with_name(str(chosen["cluster"])) if chosen else None
        user_name = str(chosen.get("user") or "")
        user = merged["users"].get_with_name(user_name, safe=True) if user_name else None
        details = dict(cluster.value["cluster"]) if cluster is not None else {}
        entry = (user.value.get("user") or {}) if user is not None else {}
        usable = _is_url(details.get("server")) and isinstance(entry, dict)
        folder = Path((user or cluster).path).absolute().parent if cluster is not None else Path()
        problem = ""
    except Exception:  # noqa: BLE001, S110 - whatever is missing or of another type; its words may quote a token
        pass
    # Raised out here, the error carries no context with those words.
    if problem:
        raise _broken(where, problem, _FETCH)
    if not chosen:
        problem = f"has no context '{name}'" if name else "has no current context"
        raise _broken(
            where,
            problem,
            f"Choose one of {', '.join(names)}: kubectl config use-context NAME" if names else _FETCH,
        )
    if user_name and user is None:
        raise _broken(where, f"has no user '{user_name}', which its context '{name}' names", _FETCH)
    if not usable:
        raise _broken(where, f"names no usable server for the cluster of its context '{name}'", _FETCH)
    return _Entries(name, str(chosen.get("namespace") or ""), details, entry, folder)


def _from_plugin(plugin: ExecPlugin, answer: PluginAnswer, user: dict[str, Any]) -> Credential | None:
    """Keep what a plug-in has handed out where the rest looks for it."""
    del user["exec"]
    if answer.token is not None:
        return PluginCredential(plugin, answer)
    for key, value in (("client-certificate-data", answer.certificate), ("client-key-data", answer.key)):
        user[key] = base64.b64encode((value or SecretValue("")).reveal().encode()).decode()
    return FixedCredential()


def _load(
    merged: Any,  # noqa: ANN401 - kubernetes has no types
    context: str,
    persist: Callable[[], None] | None,
    where: str,
) -> tuple[Any, Callable[[], None]]:
    """Let the kubernetes package make its Configuration of one context: certificates, and the older kinds of login."""
    from kubernetes.config import kube_config  # noqa: PLC0415 - takes 0.3 s and more

    configuration = fresh_configuration()

    def load() -> None:
        try:
            loader = kube_config.KubeConfigLoader(
                config_dict=merged, active_context=context, config_base_path=None, config_persister=persist
            )
            loader.load_and_set(configuration)
        except OSError as error:
            problem = f"names a file that can't be read: {error.filename}: {error.strerror}"
        except Exception:  # noqa: BLE001 - its words may quote the entry with its token
            problem = "names a certificate that does not exist, or a login that does not work"
        else:
            return
        raise _broken(where, f"has a context '{context}' that can't be used: it {problem}", _FETCH)

    load()
    return configuration, load


class _LoadedCredential:
    """The login that the kubernetes package has found: a token, a password, or an older `auth-provider`."""

    def __init__(self, configuration: Any, load_again: Callable[[], None]) -> None:  # noqa: ANN401 - kubernetes
        self._configuration = configuration
        self._load_again = load_again
        self._lock = threading.Lock()

    def authorization(self) -> SecretValue | None:
        """Return the header that the package would send."""
        header = str(self._configuration.api_key.get("authorization") or "").strip()
        if not header:
            return None
        scheme, _, token = header.partition(" ")
        return SecretValue(f"{scheme} {checked_token(token.encode(), 'in the kubeconfig').reveal()}")

    def renew(self) -> bool:
        """Let the package look whether the login has ended, and renew it; tell whether it did."""
        with self._lock:
            before = self.authorization()
            self._load_again()
            return before != self.authorization()


def _is_url(server: object) -> bool:
    """Tell whether a cluster's server is a URL with a host, and a port where it has one."""
    try:
        parts = urlsplit(str(server))
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _without_nothing(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def _broken(where: str, problem: str, hint: str) -> ServiceError:
    return ServiceError(
        f"{where} {problem}. Without it the cluster can't be reached.",
        hint=hint,
        code="kubeconfig",
        service="kubernetes",
    )
