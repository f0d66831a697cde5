"""The credential that a command hands out, where a kubeconfig names one, such as kubelogin."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.transport.identity import checked_token
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import CredentialError

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXPIRY_MARGIN_SECONDS = 60.0
_API_GROUP = "client.authentication.k8s.io/"


@dataclass(frozen=True)
class PluginAnswer:
    """What a plug-in has handed out: a token, or a client certificate with its key.

    Args:
        token: The bearer token.
        certificate: The certificate chain as PEM.
        key: The certificate's key as PEM.
        expires: When they end; None is until they are rejected.

    """

    token: SecretValue | None = None
    certificate: SecretValue | None = None
    key: SecretValue | None = None
    expires: datetime | None = None


class ExecPlugin:
    """The command of a kubeconfig's `exec` section.

    Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins

    Args:
        section: The section as it stands in the kubeconfig.
        folder: The kubeconfig's folder; a command with a slash in it is relative to that.
        environ: The environment to run it in.
        seconds: How long it may take.
        cluster: What the plug-in learns about the cluster, if it asks for that.

    """

    def __init__(
        self,
        section: Mapping[str, object],
        *,
        folder: Path,
        environ: Mapping[str, str],
        seconds: float,
        cluster: Mapping[str, object],
    ) -> None:
        command = str(section.get("command") or "")
        self._name = Path(command).name or "(none)"
        self._version = str(section.get("apiVersion") or "")
        self._seconds = seconds
        arguments = section.get("args")
        words = [str(word) for word in arguments] if isinstance(arguments, list) else []
        self._command = [str(folder / command) if "/" in command or os.sep in command else command, *words]
        spec: dict[str, object] = {"interactive": False}
        if section.get("provideClusterInfo"):
            spec["cluster"] = dict(cluster)
        info = {"apiVersion": self._version, "kind": "ExecCredential", "spec": spec}
        pairs = section.get("env")
        extra = {
            str(pair["name"]): str(pair.get("value", ""))
            for pair in (pairs if isinstance(pairs, list) else [])
            if isinstance(pair, dict) and "name" in pair
        }
        self._environ = {**environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(info)}
        if not command or not self._version.startswith(_API_GROUP):
            raise self._failed("its section names no command or no apiVersion", "Fetch the kubeconfig again.")
        if section.get("interactiveMode") == "Always":
            raise self._failed(
                "it requires a terminal (interactiveMode: Always)",
                "Choose a login that needs no terminal, such as: kubelogin convert-kubeconfig -l azurecli",
            )

    def run(self) -> PluginAnswer:
        """Run the command and read what it hands out.

        Returns:
            The token or the certificate.

        Raises:
            CredentialError: It is not installed, took too long, failed, or its answer is none.

        """
        output, errors, code = self._output()
        if code != 0:
            # Its own words may hold a secret, so they only choose the fix.
            fix = "az login" if b"az login" in errors.lower() else "kubectl get namespaces"
            raise self._failed(f"it ended with exit code {code}", f"Log in again, or run in a terminal: {fix}")
        try:
            status = json.loads(output)["status"]
            token, expires = status.get("token"), status.get("expirationTimestamp")
            answer = PluginAnswer(
                token=checked_token(str(token).encode(), f"the answer of '{self._name}'") if token else None,
                certificate=SecretValue(str(status.get("clientCertificateData") or "")) or None,
                key=SecretValue(str(status.get("clientKeyData") or "")) or None,
                expires=_moment(expires),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            answer = PluginAnswer()
        if answer.token is None and (answer.certificate is None or answer.key is None):
            raise self._failed(
                "its answer holds neither a token nor a certificate with its key",
                "Check in a terminal that it works with kubectl: kubectl get namespaces",
            )
        return answer

    def _output(self) -> tuple[bytes, bytes, int]:
        problem, hint = "", ""
        try:
            with subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environ,
                start_new_session=True,
            ) as process:
                try:
                    output, errors = process.communicate(timeout=self._seconds)
                except BaseException:
                    _end(process)
                    raise
        except (OSError, ValueError):
            problem = "it is not installed or can't be started"
            hint = "Install it (kubelogin comes with: az aks install-cli), and check that it is on PATH."
        except subprocess.TimeoutExpired:
            problem = f"it gave no answer in {self._seconds:g} s"
            hint = "It may be waiting for a login. Log in first: az login, then kubectl get namespaces"
        # Raised out here, the error carries no context: that of a time-out holds what the command has written.
        if problem:
            raise self._failed(problem, hint)
        return output, errors, process.returncode

    def _failed(self, what: str, hint: str) -> CredentialError:
        return CredentialError(
            f"The kubeconfig gets its credential from the command '{self._name}', and {what}. Without a credential "
            "the cluster can't authenticate you.",
            hint=hint,
            code="credential-plugin",
            service="kubernetes",
        )


class PluginCredential:
    """A token from the command that a kubeconfig names, such as kubelogin; it is asked again when the token ends.

    The command is run here and not by the kubernetes package, which has no time limit for it, passes its own terminal
    on, and writes what went wrong into the root logger and then asks the cluster without any credential.

    Args:
        plugin: The command.
        first: What it has answered already.

    """

    def __init__(self, plugin: ExecPlugin, first: PluginAnswer) -> None:
        self._plugin = plugin
        self._answer = first
        self._lock = threading.Lock()

    def authorization(self) -> SecretValue | None:
        """Return the header with a token that has not ended."""
        with self._lock:
            expires = self._answer.expires
            if expires is not None and expires.timestamp() - time.time() < _EXPIRY_MARGIN_SECONDS:
                self._answer = self._plugin.run()
            token = self._answer.token
            return None if token is None else SecretValue(f"Bearer {token.reveal()}")

    def renew(self) -> bool:
        """Ask the command again; tell whether it handed out another token."""
        with self._lock:
            before = self._answer.token
            self._answer = self._plugin.run()
            return before != self._answer.token


def _moment(text: object) -> datetime | None:
    """Read a moment as RFC 3339 writes it; one that can't be read is as good as none."""
    try:
        moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command together with what it started: a child of it would keep the pipes open."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.communicate()
