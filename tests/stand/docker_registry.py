"""Docker's registry, as Debian packages it: what stands behind every registry of the tests."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from .forwarding import Forwarder
from .processes import Server, on_free_port
from .programs import binaries

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

    from .processes import Guard


class DockerRegistry:
    """One such registry, from its making until `close` or the end of its block.

    Args:
        folder: For settings, data and log; made where it is missing.
        guard: Ends the server if this process can't.
        auth: Its own sign-in, as its settings name it (https://distribution.github.io/distribution/about/configuration/);
            None for a registry that lets everybody in.

    Raises:
        MissingError: The registry is not installed.
        StartError: It did not start.

    """

    def __init__(self, folder: Path, guard: Guard, auth: dict[str, Any] | None = None) -> None:
        self._program = binaries.registry()
        self._guard = guard
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.data = folder, folder / "data"
        self.server, self.port = on_free_port(lambda port: self._start(port, auth))
        self.host = f"127.0.0.1:{self.port}"
        self.forward = Forwarder(f"http://{self.host}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server; safe to repeat."""
        self.forward.close()
        self.server.end()

    def _start(self, port: int, auth: dict[str, Any] | None) -> Server:
        settings = {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.data)}, "delete": {"enabled": True}},
            "http": {"addr": f"127.0.0.1:{port}", "relativeurls": True, "secret": secrets.token_hex(16)},
            **({"auth": auth} if auth else {}),
        }
        path = self.folder / "settings.yml"
        path.write_text(json.dumps(settings))  # JSON is YAML
        command = [str(self._program), "serve", str(path)]
        # A bare GET means 401 from a registry that asks for a sign-in and is ready.
        probe = Forwarder(f"http://127.0.0.1:{port}", timeout=2)
        log = self.folder / "registry.log"
        try:
            return Server("docker-registry", command, log=log, ready=lambda: probe.answers("/v2/"), guard=self._guard)
        finally:
            probe.close()
