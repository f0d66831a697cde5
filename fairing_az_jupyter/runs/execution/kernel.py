"""The kernel of one run: a process that is started early, stopped on demand and never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING

import psutil
from jupyter_client import protocol_version_info  # type: ignore[attr-defined]
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_async, ensure_event_loop, run_sync

from fairing_az_jupyter.runs.execution.kernelspecs import InstalledKernels
from fairing_az_jupyter.runs.parameters.sources import ENVIRONMENT_PREFIX
from fairing_az_jupyter.runs.text import last_lines

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Mapping
    from typing import TypeVar

    from jupyter_client.client import KernelClient
    from jupyter_client.kernelspec import KernelSpec

    from fairing_az_jupyter.runs.execution.events import Stop

    T = TypeVar("T")

INTERRUPT_GRACE = 3.0
"""Seconds that a cell has to end after it was interrupted, before the kernel is killed."""

_LOOK_EVERY = 0.1
_END_LOOK_EVERY = 0.01
_CONNECT_SECONDS = 0.2
_LOG_TAIL_BYTES = 16_384
# Loads the bridge, so that upstream's import lines work also where this environment has no start-up file.
_BRIDGE = "--IPKernelApp.extra_extensions=fairing_az_jupyter.fairing"
# ipykernel warns of its own transport in every run; that explains no death.
_OWN_WARNING = "[IPKernelApp] WARNING"
# A kernel gets its ports before it binds them: with many kernels on a machine, another one may be faster.
_PORT_TAKEN = "Address already in use"
_STARTS = 3


class KernelStartError(Exception):
    """The kernel could not be started, or ended or kept silent before it was ready."""


class RunKernel:
    """One kernel process with the client that talks to it.

    The process starts before papermill is imported, because both take seconds and neither needs the other.

    Args:
        name: Name of an installed kernel spec.
        cwd: The kernel's working directory.
        session_name: Absolute path of the notebook. The kernel finds it in JPY_SESSION_NAME, as under Jupyter
            Server: https://jupyter-server.readthedocs.io (`MappingKernelManager`, session names).
        stop: The wish to stop the run.
        variables: Variables of its environment, beside those of this process.

    """

    def __init__(
        self,
        name: str,
        *,
        cwd: str,
        session_name: str,
        stop: Stop,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.manager = self._new_manager()
        self.client: KernelClient | None = None
        self._answered = False
        self._cwd = cwd
        self._session_name = session_name
        self._stop = stop
        self._variables = dict(variables or {})
        # What the kernel process itself prints: nothing in a good run, the reason of its death in a bad one.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the kernel
        self._last_log: tuple[str, ...] = ()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Start the kernel's process, and end it when control returns.

        Raises:
            KernelStartError: The process can't be started.

        """
        try:
            run_sync(self._start)()
            yield
        finally:
            try:
                run_sync(self._close)()
            finally:
                self._last_log = self.log_tail()
                self._log.close()
                _close_loop()

    def connect(self, timeout: float) -> None:
        """Wait until the kernel answers.

        Args:
            timeout: Seconds to wait.

        Raises:
            KernelStartError: The kernel ended, did not answer in time, or was killed because the run is to stop.

        """
        run_sync(self._connect)(timeout)

    async def obeying(self, work: Awaitable[T], grace: float = INTERRUPT_GRACE) -> T:
        """Wait for something that the kernel does, and see to it that it ends when the run is to stop.

        Args:
            work: What to wait for; it fails when the kernel is killed.
            grace: Seconds that the kernel has to end it after an interrupt.

        Returns:
            What `work` returns.

        """
        guard = asyncio.ensure_future(self._stop_when_asked(grace))
        try:
            return await work
        finally:
            guard.cancel()
            await asyncio.gather(guard, return_exceptions=True)

    def exit_status(self) -> int | None:
        """Return the status with which the kernel's process ended (negative: the signal), None if it is alive."""
        return run_sync(self._poll)()

    def log_tail(self) -> tuple[str, ...]:
        """Return the last lines that the kernel's process printed by itself, past Jupyter's own channels."""
        if self._log.closed:
            return self._last_log
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - _LOG_TAIL_BYTES))
        lines = last_lines(self._log.read().decode("utf-8", "replace"))
        return tuple(line for line in lines if not line.startswith(_OWN_WARNING))

    async def _start(self) -> None:
        # Those are intended for this run: one that the notebook starts by itself may know none of them.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}
        environment |= {**self._variables, "JPY_SESSION_NAME": self._session_name}
        # As papermill's own command does: Jupyter's frozen modules make the debugger warn in every run.
        environment.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
        # As nbclient does: kernels that run at the same time must not share IPython's history database.
        extra = ["--HistoryManager.hist_file=:memory:"] if self.manager.ipykernel else []
        extra += [_BRIDGE] if _is_of_this_python(self.manager.kernel_spec) else []
        try:
            await self.manager.start_kernel(
                cwd=self._cwd, env=environment, extra_arguments=extra, stdout=self._log, stderr=self._log
            )
        except (OSError, RuntimeError) as error:
            raise KernelStartError(str(error)) from error

    def _new_manager(self) -> AsyncKernelManager:
        return AsyncKernelManager(kernel_name=self.name, kernel_spec_manager=InstalledKernels())

    async def _connect(self, timeout: float) -> None:
        for left in reversed(range(_STARTS)):
            self.client = client = self.manager.client()
            client.start_channels()
            try:
                await self.obeying(self._wait_for_answer(client, timeout), grace=0.0)
                break
            except RuntimeError as error:
                if not left or self._stop.asked or not self._lost_a_port():
                    raise KernelStartError(str(error)) from error
            await self._close()
            self._log.seek(0)
            self._log.truncate()
            self.manager = self._new_manager()
            await self._start()
        if self._stop.asked:
            # The kernel may have answered just before it was killed.
            raise KernelStartError("the run is to stop")
        self._answered = True
        client.allow_stdin = False

    async def _wait_for_answer(self, client: KernelClient, timeout: float) -> None:
        """Wait until the kernel answers on both channels, and not a moment longer.

        jupyter_client's own `wait_for_ready` then waits for 0.2 s more, to drop what the kernel has sent of its start;
        whoever executes cells looks at the messages of a cell only.
        """
        deadline = time.monotonic() + timeout
        while True:
            client.kernel_info()
            with contextlib.suppress(Empty):
                reply = await ensure_async(client.shell_channel.get_msg(timeout=1))
                # The other channel is connected once anything has come through it.
                await ensure_async(client.iopub_channel.get_msg(timeout=_CONNECT_SECONDS))
                major = int(reply["content"]["protocol_version"].partition(".")[0])
                if major != protocol_version_info[0]:
                    client.session.adapt_version = major
                return
            if not await self.manager.is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kernel didn't respond in {timeout:g} seconds")

    def _lost_a_port(self) -> bool:
        return any(_PORT_TAKEN in line for line in self.log_tail())

    async def _stop_when_asked(self, grace: float) -> None:
        while not self._stop.asked:  # noqa: ASYNC110 - a signal handler may not set an event, see `Stop`
            await asyncio.sleep(_LOOK_EVERY)
        if grace:
            await self.manager.interrupt_kernel()
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline and not self._stop.urgent:  # noqa: ASYNC110 - as above
            await asyncio.sleep(_LOOK_EVERY)
        await self._kill()

    async def _kill(self) -> None:
        """Kill the kernel, its process group, and those of its children that have left the group."""
        pid = getattr(self.manager.provisioner, "pid", None)
        children: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            children = psutil.Process(pid).children(recursive=True) if pid else []
        if self.manager.has_kernel:
            await self.manager.signal_kernel(signal.SIGKILL)
        for child in children:
            with contextlib.suppress(psutil.Error):
                child.kill()

    async def _poll(self) -> int | None:
        provisioner = self.manager.provisioner
        return None if provisioner is None else await provisioner.poll()

    async def _close(self) -> None:
        try:
            if await self.manager.is_alive():
                if not self._answered:
                    # `shutdown_kernel` interrupts it first, and that would be its last words, and no reason.
                    await self._kill()
                await self._shut_down(now=not self._answered or self._stop.urgent)
        finally:
            await ensure_async(self.manager.cleanup_resources())
            if self.client is not None:
                await ensure_async(self.client.stop_channels())  # type: ignore[func-returns-value]

    async def _shut_down(self, *, now: bool) -> None:
        if now:
            await self.manager.shutdown_kernel(now=True)
            return
        # As `shutdown_kernel` does, which looks ten times a second only whether the kernel has ended.
        await self.manager.interrupt_kernel()
        await ensure_async(self.manager.request_shutdown())
        await self.manager.finish_shutdown(pollinterval=_END_LOOK_EVERY)


def _is_of_this_python(spec: KernelSpec | None) -> bool:
    """Return whether a kernel is ipykernel in this environment; one of another may not have this package."""
    if spec is None or not any("ipykernel" in word for word in spec.argv):
        return False
    program = Path(spec.argv[0])
    # What has no folder, jupyter_client takes for its own Python: `KernelManager.format_kernel_cmd`.
    beside = program.parent in {Path(), Path(sys.executable).parent}
    return beside and program.name.startswith("python")


def _close_loop() -> None:
    """Close the event loop that Jupyter made for a caller's worker thread, which may never run another notebook.

    The main thread keeps its loop, and a loop that runs belongs to someone else.
    """
    if threading.current_thread() is threading.main_thread():
        return
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        ensure_event_loop().close()
        asyncio.set_event_loop(None)
