"""urllib3's connections, which say what socket an answer will come through: who waits for it can break it then.

Imported where urllib3 is needed anyway, which takes half a tenth of a second.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from urllib3 import HTTPResponse, PoolManager

# A load balancer forgets a silent connection without a word (Azure's after 4 minutes); these ask every 15 s.
_KEEP_ALIVE = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))


class _Waiting(threading.local):
    gets: Callable[[socket.socket], None] | None = None


_WAITING = _Waiting()


@contextmanager
def reported_to(gets: Callable[[socket.socket], None]) -> Iterator[None]:
    """Report the socket of each request that this thread sends meanwhile.

    Args:
        gets: Gets the socket when the request was sent and nothing was answered yet; what it raises ends the request.

    """
    _WAITING.gets = gets
    try:
        yield
    finally:
        _WAITING.gets = None


def prepare(pools: PoolManager) -> None:
    """Make the connections of pools report their sockets, and keep silent ones alive.

    Args:
        pools: The pools; they have no connection yet.

    """
    pools.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    # macOS and Windows know fewer of them.
    options += [
        (socket.IPPROTO_TCP, getattr(socket, name), seconds) for name, seconds in _KEEP_ALIVE if hasattr(socket, name)
    ]
    pools.connection_pool_kw["socket_options"] = options


class _Connection(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3's own
        if _WAITING.gets is not None:
            _WAITING.gets(self.sock)
        return super().getresponse()


class _TlsConnection(HTTPSConnection, _Connection):
    """The same with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
