"""The real kube-scheduler, built from the control plane's go.mod, for the stand's node only."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.stand.processes import Server
from tests.stand.programs import binaries

from .kubelet import LABEL

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stand.processes import Guard

_READY = "Caches populated"


class Scheduler:
    """kube-scheduler, from its making until `close`.

    Args:
        kubeconfig: Who it is at the API server.
        folder: For its settings and its log.
        guard: Ends it if this process can't.

    Raises:
        MissingError: It is not here and can't be built here.
        StartError: It did not start.

    """

    def __init__(self, kubeconfig: Path, folder: Path, guard: Guard) -> None:
        # Tests make nodes that nothing runs on, to be counted only: pods are kept off them.
        term = {"matchExpressions": [{"key": LABEL, "operator": "Exists"}]}
        added = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
        arguments = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "NodeAffinityArgs", "addedAffinity": added}
        settings = {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "clientConnection": {"kubeconfig": str(kubeconfig), "qps": 100, "burst": 200},
            "leaderElection": {"leaderElect": False},
            "podInitialBackoffSeconds": 1,
            "podMaxBackoffSeconds": 2,
            "profiles": [
                {
                    "schedulerName": "default-scheduler",
                    "pluginConfig": [{"name": "NodeAffinity", "args": arguments}],
                }
            ],
        }
        path = folder / "scheduler.json"
        path.write_text(json.dumps(settings))
        log = folder / "kube-scheduler.log"
        command = [str(binaries.scheduler()), f"--config={path}", "--secure-port=0", "--v=2"]
        self._paused = False
        self.server = Server("kube-scheduler", command, log=log, ready=lambda: _READY in log.read_text(), guard=guard)

    def pause(self) -> None:
        """Bind no pod until `resume`, and say nothing of any; safe to repeat."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Bind pods again; safe to repeat."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it; safe to repeat."""
        self.resume()
        self.server.end()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.server.pid, number)
