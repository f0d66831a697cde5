"""A namespace, a kubelet and what follows a Job: what the tests of `Workloads` against the stand share."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.clients.kube.watching.events import LogLine
from fairing_az_jupyter.clients.kube.workloads import Workloads
from tests.cluster.workloads_kubelet import Kubelet, job, running, terminated

__all__ = [
    "connect",
    "control_plane",
    "follow",
    "fronted",
    "kubelet",
    "no_thread_is_left_behind",
    "printing",
    "profile",
    "workloads",
]


@pytest.fixture
def control_plane(kubernetes):
    return kubernetes.control_plane


@pytest.fixture
def connect(kubernetes, control_plane, namespace, tmp_path):
    opened = []

    def connect(token, *, port=None):
        folder = tmp_path / f"pod-{len(opened)}"
        cluster = Cluster.connect(control_plane.in_cluster(folder, token, namespace, port=port), folder)
        opened.extend([cluster, Workloads(cluster)])
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


@pytest.fixture
def profile(control_plane, namespace):
    return control_plane.profile(namespace, "kubeflow-edit")


@pytest.fixture
def workloads(profile, connect):
    return connect(profile.editor)


@pytest.fixture
def fronted(kubernetes, profile, connect):
    """Workloads that reach the API server through the front with faults."""
    return connect(profile.editor, port=kubernetes.kubernetes_front.port)


@pytest.fixture
def kubelet(control_plane, kubernetes):
    kubelet = Kubelet(control_plane, kubernetes.authority)
    yield kubelet
    kubelet.close()


@pytest.fixture(autouse=True)
def no_thread_is_left_behind():
    before = set(threading.enumerate())
    yield
    end = time.monotonic() + 5
    while time.monotonic() < end:
        left = [
            one
            for one in set(threading.enumerate()) - before
            if one.name.startswith(("watch-", "log-", "port-forward", "cancel"))
        ]
        if not left:
            return
        time.sleep(0.05)
    pytest.fail(f"left behind: {left}")


def pod_of(workloads, owner_labels, seconds=15, seen=()):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = [pod for pod in workloads.list("Pod", owner_labels) if pod["metadata"]["name"] not in seen]
        if found:
            return found[0]["metadata"]["name"]
        time.sleep(0.05)
    pytest.fail("no pod was made")


class Following:
    """Follows in a thread of its own, as a front end may."""

    def __init__(self, workloads, kind, name, **options):
        self.events, self.error, self.ended_at = [], None, None
        self.cancel = threading.Event()
        self.iterator = workloads.follow(kind, name, cancel=self.cancel, **options)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            for event in self.iterator:
                self.events.append(event)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error
        self.ended_at = time.monotonic()

    def wait(self, wanted, seconds=15):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for event in list(self.events):
                if wanted(event):
                    return event
            if not self.thread.is_alive():
                break
            time.sleep(0.02)
        pytest.fail(f"not seen; {self.error!r}; {[str(one) for one in self.events][-20:]}")

    def end(self, seconds=20):
        self.thread.join(seconds)
        if self.thread.is_alive():
            import faulthandler

            faulthandler.dump_traceback(all_threads=True)
        assert not self.thread.is_alive(), [str(one) for one in self.events][-20:]
        return self.events

    @property
    def texts(self):
        return [event.text for event in self.events if isinstance(event, LogLine)]


@pytest.fixture
def follow(workloads):
    started = []

    def follow(kind, name, by=None, **options):
        started.append(Following(by or workloads, kind, name, **options))
        return started[-1]

    yield follow
    for one in started:
        one.cancel.set()
        one.thread.join(5)


@pytest.fixture
def printing(workloads, kubelet, namespace):
    """Return a Job's pod that runs, and what it prints."""
    workloads.create(job())
    pod = pod_of(workloads, {"job-name": "train"})
    kubelet.bind(namespace, pod)
    kubelet.say(namespace, pod, "Running", running())
    return pod, kubelet.output(pod, "main")


# The stand's front leaks its own socket to the API server where a client goes before the answer's head is sent.
cuts_connections = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def cut(front):
    """End all connections in the middle of what they carry, as a network that fails."""
    with front._server._lock:  # noqa: SLF001 - there is no such fault
        for connection in list(front._server._open):  # noqa: SLF001 - as above
            with contextlib.suppress(OSError):
                # Not SSLSocket's own, which would let the other thread go on without TLS.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


def finish(kubelet, namespace, pod, output, code=0):
    output.end()
    kubelet.say(namespace, pod, "Succeeded" if code == 0 else "Failed", terminated(code))
