"""The extension as Jupyter Server loads it."""

from __future__ import annotations

from jupyter_server.extension.application import ExtensionApp
from traitlets import Float

from fairing_az_jupyter.frontends.server.handlers import handlers
from fairing_az_jupyter.frontends.server.worker_process import WorkerProcess


class FairingAzureApp(ExtensionApp):
    """Answers what the side panel asks for, by a worker process that is started with the first request."""

    name = "fairing_az_jupyter"
    extension_url = "/lab"
    load_other_extensions = True
    open_browser = False

    heartbeat_seconds = Float(
        10.0, min=0.05, help="Seconds of silence after which a stream of events says that it still lives."
    ).tag(config=True)

    worker: WorkerProcess | None = None

    def initialize_handlers(self) -> None:
        """Add the handlers of all routes."""
        self.worker = WorkerProcess(self.log)
        self.handlers.extend(handlers(self.worker, self.heartbeat_seconds))

    async def stop_extension(self) -> None:
        """End the worker."""
        if self.worker is not None:
            await self.worker.close()
