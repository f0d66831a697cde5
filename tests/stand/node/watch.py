"""Lists and watches one kind of object at the API server, as informers do, and keeps doing so until stopped."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Object = dict[str, Any]
_GONE = 410


class Watch:
    """One watch in a thread of its own.

    Args:
        url: The API server.
        bundle: The CA that signed its certificate.
        token: Who watches.
        path: What is watched.
        query: Selectors.
        seen: Called with each object that is new or has changed.
        gone: Called with each object that has been deleted.

    """

    def __init__(
        self,
        url: str,
        bundle: Path,
        token: str,
        path: str,
        *,
        query: dict[str, str],
        seen: Callable[[Object], None],
        gone: Callable[[Object], None],
    ) -> None:
        self._host = urlsplit(url).netloc
        self._context = ssl.create_default_context(cafile=str(bundle))
        self._headers = {"Authorization": f"Bearer {token}"}
        self._path, self._query = path, query
        self._seen, self._gone = seen, gone
        self._stopped = threading.Event()
        self._known: dict[str, Object] = {}
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch {path}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait until nothing is called any more; safe to repeat."""
        self._stopped.set()
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread is not threading.current_thread():
            self._thread.join(10)

    def _run(self) -> None:
        version = ""
        while not self._stopped.is_set():
            version = self._once(version)

    def _once(self, version: str) -> str:
        """Watch until the API server ends it; return from where to go on, nothing to begin anew."""
        try:
            return self._follow(version or self._list())
        except (OSError, http.client.HTTPException, ValueError):
            self._stopped.wait(0.5)
            return ""

    def _list(self) -> str:
        connection, answer = self._get(self._query)
        try:
            found = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise OSError(found)
        now = {item["metadata"]["uid"]: item for item in found["items"]}
        for uid in list(self._known):
            if uid not in now:
                self._gone(self._known.pop(uid))
        for item in now.values():
            self._take(item)
        return str(found["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> str:
        query = {**self._query, "watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true"}
        connection, answer = self._get(query)
        try:
            if answer.status == _GONE:
                return ""
            while not self._stopped.is_set() and (line := answer.readline()):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return ""
                item = event["object"]
                version = item["metadata"]["resourceVersion"]
                if event["type"] == "DELETED":
                    self._known.pop(item["metadata"]["uid"], None)
                    self._gone(item)
                elif event["type"] != "BOOKMARK":
                    self._take(item)
        finally:
            self._socket = None
            connection.close()
        return version

    def _take(self, item: Object) -> None:
        self._known[item["metadata"]["uid"]] = item
        self._seen(item)

    def _get(self, query: dict[str, str]) -> tuple[http.client.HTTPSConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPSConnection(self._host, context=self._context, timeout=300)
        try:
            connection.request("GET", f"{self._path}?{urlencode(query)}", headers=self._headers)
            self._socket = connection.sock
            if self._stopped.is_set():
                # `stop` may have come before there was a socket to shut down.
                connection.close()
            return connection, connection.getresponse()
        except BaseException:
            connection.close()
            raise
