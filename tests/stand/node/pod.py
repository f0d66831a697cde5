"""Brings one pod to what its specification says and tells the API server how it is, as a kubelet's pod worker does.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/; the messages are those of Kubernetes 1.34.
"""

from __future__ import annotations

import base64
import json
import shutil
import threading
import time
import traceback
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import requests

from . import volumes
from .environment import ConfigError
from .events import now
from .pod_container import PodContainer
from .statuses import conditions, phase

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .kubelet import Ground
    from .network import PodNetwork

Object = dict[str, Any]
_TICK, _SLOWEST_TICK = 0.05, 0.25
_QUIET = 1.0
_AGAIN = 2.0


class PodWorker:
    """One pod, in a thread of its own, until it is gone from the API server.

    Args:
        pod: As the API server has it.
        ground: What all pods of the node share.
        gone: Called when the worker has ended.

    """

    def __init__(self, pod: Object, ground: Ground, gone: Callable[[PodWorker], None]) -> None:
        self.pod = pod
        self.uid: str = pod["metadata"]["uid"]
        self.namespace: str = pod["metadata"]["namespace"]
        self.name: str = pod["metadata"]["name"]
        self.folder: Path = ground.folder / self.uid
        self.hosts: Path = self.folder / "hosts"
        self.network: PodNetwork | None = None
        self.volumes: dict[str, tuple[Object, Path]] = {}
        self.before = [PodContainer(self, spec, ground, init=True) for spec in pod["spec"].get("initContainers", [])]
        self.containers = [PodContainer(self, spec, ground) for spec in pod["spec"]["containers"]]
        self.address = ground.addresses()
        self._ground, self._gone = ground, gone
        self._sent: Object | None = None
        self._over: tuple[str, str] | None = None
        weather = ground.weather()
        self.start = weather.at(pod) if weather else None
        self._started = now()
        self._next_try = 0.0
        self._vanished = threading.Event()
        self._changed = threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"pod {self.name}", daemon=True)
        self.thread.start()

    @property
    def deleted(self) -> bool:
        """Tell whether somebody has deleted the pod."""
        return self._vanished.is_set() or "deletionTimestamp" in self.pod["metadata"]

    @property
    def is_ready(self) -> bool:
        """Tell whether the pod takes part in services."""
        return not self.deleted and not self._over and all(one.state.ready for one in self.containers)

    def update(self, pod: Object) -> None:
        """Take the pod as the API server has it now."""
        self.pod = pod
        self._changed.set()

    def vanish(self) -> None:
        """Take note that the pod is gone from the API server."""
        self._vanished.set()
        self._changed.set()

    def lose(self) -> None:
        """End its containers without a word, after the node has stopped."""
        for one in [*self.before, *self.containers]:
            one.forget()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wake(self) -> None:
        """Have the pod looked after at once."""
        self._changed.set()

    def find(self, kind: str, name: str) -> Object | None:
        """Return a Secret or ConfigMap of the pod's namespace."""
        plural = "secrets" if kind == "Secret" else "configmaps"
        answer = self._ground.api.call("GET", f"/api/v1/namespaces/{self.namespace}/{plural}/{name}")
        return answer.json() if answer.ok else None

    def pull_secrets(self) -> list[Object]:
        """Return what the pod's pull secrets hold; a missing one is passed over, as by a kubelet."""
        result = []
        for reference in self.pod["spec"].get("imagePullSecrets", []):
            secret = self.find("Secret", reference["name"])
            held = (secret or {}).get("data", {}).get(".dockerconfigjson")
            if held:
                result.append(json.loads(base64.b64decode(held)))
        return result

    def container(self, name: str) -> PodContainer | None:
        """Return a container, or init container, by name."""
        return next((one for one in [*self.before, *self.containers] if one.state.name == name), None)

    def _run(self) -> None:
        try:
            self.folder.mkdir(parents=True)
            self._live()
        except Exception:  # noqa: BLE001 - nothing may keep the pod's network and files
            if not self._ground.stopped.is_set():
                # Whoever runs the tests has to see a mistake of the stand.
                traceback.print_exc()
        finally:
            self._clear()

    def _live(self) -> None:
        if self.pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}:
            self._over = (self.pod["status"]["phase"], "")
        pause = _TICK
        while not self._ground.stopped.is_set():
            self._changed.clear()
            if self.deleted:
                self._end()
                return
            if not self._over:
                told = self._sent
                self._advance()
                with suppress(requests.RequestException):
                    self._tell()
                # Looked at less and less often while nothing happens: what does happen wakes it, but for an end.
                pause = _TICK if self._sent is not told else min(1.25 * pause, _SLOWEST_TICK)
            self._changed.wait(_QUIET if self._over else pause)

    def _advance(self) -> None:
        limit = self.pod["spec"].get("activeDeadlineSeconds")
        if limit is not None and _age(self._started) >= limit:
            self._stop_all(self._grace())
            self._finish("Failed", "DeadlineExceeded")
            return
        if self.network is None or len(self.volumes) < len(self.pod["spec"].get("volumes", [])):
            self._prepare()
            return
        self._ground.lead_out.refresh(self.hosts)
        for one in self.before:
            one.advance()
            if not one.state.finished:
                return
            if one.state.exit_code:
                self._finish("Failed")
                return
        for one in self.containers:
            one.advance()
            if self.deleted:
                return
        current = phase([one.state for one in self.before], [one.state for one in self.containers])
        if current in {"Succeeded", "Failed"}:
            self._finish(current)

    def _prepare(self) -> None:
        """Make the volumes and then the network, as a kubelet does."""
        if time.monotonic() < self._next_try or self._disturbed("volumes"):
            return
        for volume in self.pod["spec"].get("volumes", []):
            if volume["name"] in self.volumes:
                continue
            try:
                made = volumes.make(
                    volume, self.folder / "volumes", self.pod, self.address, self.find, self._service_account_token
                )
            except volumes.VolumeError as error:
                self._ground.events.write(self.pod, "FailedMount", str(error), warning=True)
                self._next_try = time.monotonic() + _AGAIN
                return
            self.volumes[volume["name"]] = (volume, made)
        if self.network is None:
            if self._disturbed("sandbox"):
                return
            if self.start:
                self.rest(self.start.hiccup.slow_sandbox)
            self.network = self._ground.make_network(self.address)
            self._ground.lead_out.open(self.network, self.hosts, self.name)
            with suppress(requests.RequestException):
                self._tell()

    def _disturbed(self, part: str) -> bool:
        """Report what the weather has in store for a part of the start, if there is more."""
        found = self.start.next_event(part, self.pod) if self.start else None
        if found is None:
            return False
        event, seconds = found
        self._ground.events.write(self.pod, event.reason, event.message, warning=True, component=event.component)
        self._next_try = time.monotonic() + seconds
        return True

    def rest(self, seconds: float) -> None:
        """Let a slow part of the start take its time, by the weather's scale, while the pod is wanted."""
        end = time.monotonic() + seconds * (self.start.scale if self.start else 1)
        while time.monotonic() < end and not self.deleted and not self._ground.stopped.is_set():
            time.sleep(min(_TICK, max(0, end - time.monotonic())))

    def _service_account_token(self, asked: Object) -> str:
        spec: Object = {
            "expirationSeconds": asked.get("expirationSeconds", 3600),
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": self.name, "uid": self.uid},
        }
        if asked.get("audience"):
            spec["audiences"] = [asked["audience"]]
        account = self.pod["spec"].get("serviceAccountName", "default")
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token"
        answer = self._ground.api.call("POST", path, {"spec": spec})
        if not answer.ok:
            msg = f"failed to fetch token: {answer.json().get('message')}"
            raise ConfigError(msg)
        return str(answer.json()["status"]["token"])

    def _finish(self, current: str, reason: str = "") -> None:
        self._over = (current, reason)
        with suppress(requests.RequestException):
            self._tell()
        for one in [*self.before, *self.containers]:
            one.forget()
        if self.network is not None:
            self.network.close()

    def _grace(self) -> float:
        meta = self.pod["metadata"]
        if self._vanished.is_set():
            return 0
        return float(meta.get("deletionGracePeriodSeconds", self.pod["spec"].get("terminationGracePeriodSeconds", 30)))

    def _stop_all(self, grace: float) -> None:
        """Stop what runs, all at once, and kill what still does after the grace period."""
        running = [one for one in [*self.before, *self.containers] if one.stop()]
        end = time.monotonic() + grace
        while any(one.runs() for one in running) and not self._ground.stopped.is_set():
            if self.deleted:
                # A second, shorter deletion takes effect at once.
                end = min(end, time.monotonic() + self._grace())
            if time.monotonic() >= end:
                for one in running:
                    one.kill()
                break
            time.sleep(_TICK)
        for one in running:
            one.take_exit()
        for one in [*self.before, *self.containers]:
            one.state.finished = True

    def _end(self) -> None:
        if not self._over:
            self._stop_all(self._grace())
            if self._ground.stopped.is_set():
                return
            if not self._vanished.is_set():
                codes = [one.state.exit_code for one in self.containers]
                self._finish("Succeeded" if all(code == 0 for code in codes) else "Failed")
        if self._vanished.is_set():
            return
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
        path = f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"
        with suppress(requests.RequestException):
            self._ground.api.call("DELETE", path, body)
        # Its log can be read until the last finalizer has gone.
        while not self._vanished.wait(_QUIET) and not self._ground.stopped.is_set():
            continue

    def _tell(self) -> None:
        before, containers = [one.state for one in self.before], [one.state for one in self.containers]
        current, reason = self._over or (phase(before, containers), "")
        known = self.pod.get("status", {}).get("conditions", [])
        status: Object = {
            "phase": current,
            "hostIP": "127.0.0.1",
            "hostIPs": [{"ip": "127.0.0.1"}],
            "startTime": self._started,
            "conditions": conditions(before, containers, current, (self._sent or {}).get("conditions", known)),
            "containerStatuses": [state.to_status() for state in containers],
        }
        if self.network is not None:
            status |= {"podIP": self.address, "podIPs": [{"ip": self.address}]}
        if before:
            status["initContainerStatuses"] = [state.to_status() for state in before]
        if reason:
            status["reason"] = reason
            status["message"] = "Pod was active on the node longer than the specified deadline"
        if status == self._sent:
            return
        body = {"metadata": {"uid": self.uid}, "status": status}
        path = f"/api/v1/namespaces/{self.namespace}/pods/{self.name}/status"
        kind = "application/strategic-merge-patch+json"
        if self._ground.api.call("PATCH", path, body, kind=kind).ok:
            # The states change in place; what was sent must not.
            self._sent = json.loads(json.dumps(status))

    def _clear(self) -> None:
        if not self._ground.stopped.is_set():
            for one in [*self.before, *self.containers]:
                one.forget()
        # Else the sandbox ends them all at once.
        if self.network is not None:
            self.network.close()
        if not self._ground.stopped.is_set():
            shutil.rmtree(self.folder, ignore_errors=True)
            self._gone(self)


def _age(since: str) -> float:
    then = datetime.strptime(since, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    return (datetime.now(timezone.utc) - then).total_seconds()
