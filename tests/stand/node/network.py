"""A network of its own for each pod, without a bridge or a rule on the machine.

A pod's network namespace has a loopback interface only, so all pods can listen on the same port. Sockets made in the
namespace are served from the stand's process: what listens there leads out to the stand (Azure's names on port 443,
the API server), what is connected there leads in (probes, port-forwarding, services).
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from .sandbox import Sandbox

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000
# ioctl numbers and flags: netdevice(7).
_HOLD = """
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
    address = struct.pack("16sHH4s8x", b"lo:0", socket.AF_INET, 0, socket.inet_aton(sys.argv[1]))
    fcntl.ioctl(probe, 0x8914, struct.pack("16sH14x", b"lo", 0x49))
    fcntl.ioctl(probe, 0x8916, address)
print(os.getpid(), flush=True)
sys.stdin.read()
"""


class PodNetwork:
    """A pod's network namespace, from its making until `close`.

    Args:
        sandbox: Where the process that holds it lives.
        address: The pod's own address, which its loopback interface gets, too.

    """

    def __init__(self, sandbox: Sandbox, address: str) -> None:
        self.address = address
        hold = ["unshare", "--net", "--", sys.executable, "-I", "-S", "-c", _HOLD, address]
        pipe = subprocess.PIPE
        self._holder = sandbox.start(hold, stdin=pipe, stdout=pipe, stderr=pipe)
        assert self._holder.stdout is not None
        line = self._holder.stdout.readline()
        if not line:
            _, errors = self._holder.communicate()
            msg = f"A pod's network can't be made: {errors.strip()}"
            raise OSError(msg)
        pid = int(line)
        self.path = f"/proc/{pid}/ns/net"
        self._descriptor = os.open(sandbox.process(pid) / "ns/net", os.O_RDONLY)
        self._listeners: list[socket.socket] = []
        self._lock = threading.Lock()
        self._closed = False

    def connect(self, port: int, timeout: float, host: str = "127.0.0.1") -> socket.socket:
        """Return a connection to what listens on a port of the pod."""
        made = self._inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        made.settimeout(timeout)
        try:
            made.connect((host, port))
        except BaseException:
            made.close()
            raise
        return made

    def listen(self, address: str, port: int) -> socket.socket:
        """Return a socket that listens in the pod."""
        listener = self._inside(lambda: socket.create_server((address, port), backlog=64))
        with self._lock:
            self._listeners.append(listener)
        return listener

    def close(self) -> None:
        """Let the network go; safe to repeat."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for listener in self._listeners:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self._holder.communicate()
        os.close(self._descriptor)

    def _inside(self, make: Callable[[], T]) -> T:
        results: list[Any] = []

        def enter() -> None:
            # setns(2) changes the calling thread only, which ends here; a socket stays where it was made.
            with self._lock:
                if self._closed:
                    results.append(ConnectionRefusedError("the pod has ended"))
                    return
                library = ctypes.CDLL(None, use_errno=True)
                if library.setns(self._descriptor, _CLONE_NEWNET):
                    results.append(OSError(ctypes.get_errno(), "setns"))
                    return
            try:
                results.append(make())
            except OSError as error:
                results.append(error)

        thread = threading.Thread(target=enter, name="in-pod-network")
        thread.start()
        thread.join()
        if isinstance(results[0], BaseException):
            raise results[0]
        made: T = results[0]
        return made
