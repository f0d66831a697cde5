"""A notebook on the stand that is run cell by cell in a real kernel, and what its cells show."""

from __future__ import annotations

import contextlib
import json
import queue
import time

from jupyter_client.manager import KernelManager

LEAVE_OUT = ("AZ_", "AZURE_", "ARM_", "DOCKER_", "FAIRING_", "KUBE")


LOAD = "%load_ext fairing_az_jupyter"


SHOWN = {"stream", "display_data", "update_display_data", "execute_result", "error"}


class Notebook:
    """A kernel, and the person before it."""

    def __init__(self, setup, environ, folder):
        self.setup, self.written = setup, []
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(cwd=str(folder), env=environ)
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)
        settings = [f"{name} = {value!r}" for name, value in setup.settings.items()]
        self.run("\n".join([LOAD, *settings]))

    def run(self, code, *answers, interrupt_at=None):
        """Run a cell; return its messages and the questions that it has asked; None for an answer interrupts it."""
        asked, left, messages = [], list(answers), []
        request = self._client.execute(code, allow_stdin=True)
        idle, end = False, time.monotonic() + 60
        while not idle:
            assert time.monotonic() < end, f"the cell does not end: {code}"
            with contextlib.suppress(queue.Empty):
                asked.append(self._client.get_stdin_msg(timeout=0)["content"])
                if (answer := left.pop(0)) is None:
                    self._manager.interrupt_kernel()
                else:
                    self._client.input(answer)
            with contextlib.suppress(queue.Empty):
                message = self._client.get_iopub_msg(timeout=0.05)
                if message["parent_header"].get("msg_id") != request:
                    continue
                idle = message["content"].get("execution_state") == "idle"
                if message["msg_type"] in SHOWN:
                    messages.append(message)
                if interrupt_at is not None and message["msg_type"] == interrupt_at:
                    interrupt_at = None
                    self._manager.interrupt_kernel()
        self.written.append(json.dumps([message["content"] for message in messages]))
        return messages, asked

    def value(self, expression):
        messages, _ = self.run(f"import json; print(json.dumps({expression}))")
        return json.loads(messages[0]["content"]["text"])

    def end(self):
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


def texts(messages):
    """Return what is printed, and what displays say in plain text."""
    shown = (each["content"] for each in messages)
    plain = (each["text"] if "text" in each else each.get("data", {}).get("text/plain", "") + "\n" for each in shown)
    return "".join(plain)


def error(messages):
    assert messages[-1]["msg_type"] == "error"
    (line,) = messages[-1]["content"]["traceback"]
    return line
