"""A terminal whose user has a kubeconfig and looks after launches."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

LEAVE_OUT = ("AZ_", "AZURE_", "ARM_", "DOCKER_", "FAIRING_", "KUBE", "NB_")


PROMPTED = "import fcntl, sys, termios\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"


ENTRY = "from fairing_az_jupyter.__main__ import entry\nsys.exit(entry())"


class Terminal:
    """A user with a kubeconfig, and with nothing set but that."""

    def __init__(self, place, folder, home):
        self.place, self.folder = place, folder
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith(LEAVE_OUT)}
        self.environ |= {name: value for name, value in place.setup.environment.items() if name[:4] != "KUBE"}
        self.environ |= {name: str(home / name) for name in ("FAIRING_AZURE_HOME", "FAIRING_AZURE_CONFIG_DIR")}
        self.environ |= {"KUBECONFIG": str(place.setup.kubeconfig), "HOME": str(home)}
        self.environ["NB_PREFIX"] = f"/notebook/{place.namespace}/tester"

    def start(self, *words, **more):
        command = [sys.executable, "-m", "fairing_az_jupyter", *words]
        given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        return subprocess.Popen(command, cwd=self.folder, env=self.environ, text=True, **given)

    def type(self, *words, code=0):
        with self.start(*words) as child:
            out, err = child.communicate(timeout=90)
        assert child.returncode == code, out + err
        assert "Traceback" not in out + err
        return out, err

    def json(self, *words, code=0):
        return json.loads(self.type(*words, "--json", code=code)[0])

    def answer(self, *words, answer):
        """Run a command in a terminal, type one answer, and return all that is seen."""
        terminal, inner = pty.openpty()
        command = [sys.executable, "-c", PROMPTED + ENTRY, *words]
        streams = {"stdin": inner, "stdout": inner, "stderr": inner}
        with subprocess.Popen(command, env=self.environ, start_new_session=True, **streams) as child:
            os.close(inner)
            seen = b""
            while b"[y/N]" not in seen and child.poll() is None:
                seen += os.read(terminal, 1 << 16)
            os.write(terminal, f"{answer}\n".encode())
            try:
                while part := os.read(terminal, 1 << 16):
                    seen += part
            except OSError:
                pass
            child.wait(60)
        os.close(terminal)
        return seen.decode(), child.returncode
