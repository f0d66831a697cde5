"""Leads the names of Azure's services to the test stand; all other names that are not this machine's do not exist.

Python imports it at its start where its folder is on PYTHONPATH, so that child processes are led the same way. The
names and ports stand in the JSON file that STAND_HOSTS names; it is read for each look-up, because tests change it.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
from pathlib import Path
from typing import Any

_real = socket.getaddrinfo


def install(hosts: str) -> None:
    """Answer look-ups from a file of hosts and ports from now on."""

    def look_up(
        host: str | bytes | None,
        port: str | int | None,
        family: int = 0,
        type: int = 0,  # noqa: A002 - the name is socket's
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        name = host.decode("ascii") if isinstance(host, bytes) else host
        if name is None or name == "localhost" or _is_address(name):
            return _real(host, port, family, type, proto, flags)
        known = json.loads(Path(hosts).read_text(encoding="utf-8"))
        target = known.get(name.lower().rstrip("."))
        if target is None or family == socket.AF_INET6:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return _real("127.0.0.1", target, socket.AF_INET, type, proto, flags)

    socket.getaddrinfo = look_up  # type: ignore[assignment]


def uninstall() -> None:
    """Answer look-ups as ever."""
    socket.getaddrinfo = _real


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


if "STAND_HOSTS" in os.environ:
    install(os.environ["STAND_HOSTS"])
