"""Where containers live: mount and PID namespaces of their own, so that one signal ends them with all their mounts."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.stand.processes import Server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.stand.processes import Guard

# The first process of a PID namespace inherits orphans, such as conmon: ignoring SIGCHLD lets the kernel bury them.
_FIRST = "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nwhile True: signal.pause()"

_DISK = "20G"  # only what is written takes room


class CommandError(RuntimeError):
    """A command in the sandbox failed; the text is what it wrote on standard error."""


class Sandbox:
    """Mount and PID namespaces, from their making until `close`.

    The kernel kills every process of a PID namespace with its first one, and a mount namespace ends with its last
    process. So the guard, which knows the first process, ends all containers whatever they do, and no mount is left.

    Args:
        folder: For the log.
        guard: Ends the namespaces if this process can't.
        environment: The whole environment of the commands run in it.

    Raises:
        StartError: The namespaces can't be made, as without root's rights.

    """

    def __init__(self, folder: Path, guard: Guard, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
        first = [sys.executable, "-I", "-S", "-c", _FIRST]
        self._first = 0
        self.server = Server("sandbox", [*command, *first], log=folder / "sandbox.log", ready=lambda: True, guard=guard)
        try:
            self._first = self._find_first()
        except BaseException:
            self.server.end()
            raise

    def start(self, command: Sequence[str], **options: object) -> subprocess.Popen[str]:
        """Start a command in the sandbox."""
        prefix = ["nsenter", f"--target={self._first}", "--mount", "--pid", "--"]
        return subprocess.Popen([*prefix, *command], env=self._environment, text=True, **options)  # type: ignore[call-overload,no-any-return]

    def run(self, command: Sequence[str], *, timeout: float = 60) -> str:
        """Run a command in the sandbox and return what it wrote on standard output.

        Raises:
            CommandError: It failed, or took too long.

        """
        pipe = subprocess.PIPE
        with self.start(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, errors="replace") as process:
            try:
                output, errors = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                msg = f"{' '.join(command[:2])} took longer than {timeout:g} s"
                raise CommandError(msg) from None
        if process.returncode:
            raise CommandError(errors.strip() or f"{' '.join(command[:2])} ended with {process.returncode}")
        return output

    def mount_disk(self, folder: Path) -> bool:
        """Give an empty folder a disk of its own, which only the sandbox has, and tell whether that can be done here.

        Each container of an image writes and removes thousands of files; why that may take long elsewhere is said in
        tests/cluster/own_disk. Memory in place of a disk would count against the containers' limits.
        """
        disk = folder.with_name(f"{folder.name}.disk")
        try:
            self.run(["truncate", f"--size={_DISK}", str(disk)])
            self.run(["mkfs.ext4", "-q", "-F", str(disk)])
            self.run(["mount", "-o", "loop,noatime,noinit_itable", str(disk), str(folder)])
        except CommandError:
            return False
        finally:
            # It goes with the mount.
            disk.unlink(missing_ok=True)
        return True

    def process(self, pid: int) -> Path:
        """Return the folder below /proc of a process, named by its id in the sandbox."""
        return Path("/proc", str(self._first), "root", "proc", str(pid))

    def lives(self, pid: int) -> bool:
        """Tell whether a process of the sandbox runs."""
        try:
            return self.process(pid).joinpath("stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        except (OSError, IndexError):
            return False

    def close(self) -> None:
        """End everything in the sandbox; safe to repeat."""
        self.server.end()
        end = time.monotonic() + 5
        while time.monotonic() < end and self._first and Path(f"/proc/{self._first}").exists():
            time.sleep(0.02)

    def _find_first(self) -> int:
        children = Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children")
        end = time.monotonic() + 10
        while time.monotonic() < end:
            # Its own /proc shows it as 1 as soon as all namespaces are made.
            with suppress(OSError, ValueError, IndexError):
                first = int(children.read_text().split()[0])
                if self._is_ready(first):
                    return first
            time.sleep(0.01)
        msg = f"The sandbox for containers can't be made: namespaces need root's rights.\n{self.server.tail()}"
        raise CommandError(msg)

    @staticmethod
    def _is_ready(first: int) -> bool:
        status = Path("/proc", str(first), "root", "proc", "1", "status").read_text()
        own = Path(f"/proc/{first}/status").read_text()
        name = status.splitlines()[0]
        return name == own.splitlines()[0] and name.split()[1].startswith("python")
