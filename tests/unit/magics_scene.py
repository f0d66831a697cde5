"""A kernel in which magics are run, and what their cells have shown."""

from __future__ import annotations

import contextlib
import json
import queue
import time


class Kernel:
    """A kernel, and what it has sent for one cell."""

    def __init__(self, client):
        self._client = client

    def run(self, code, *answers, allow_stdin=True):
        """Run a cell; return its messages without status messages, the questions asked, and the reply."""
        asked, left = [], list(answers)
        request = self._client.execute(code, allow_stdin=allow_stdin)
        messages, idle, end = [], False, time.monotonic() + 60
        while not idle:
            assert time.monotonic() < end, f"the cell does not end: {code}"
            with contextlib.suppress(queue.Empty):
                question = self._client.get_stdin_msg(timeout=0)
                asked.append(question["content"])
                self._client.input(left.pop(0))
            with contextlib.suppress(queue.Empty):
                message = self._client.get_iopub_msg(timeout=0.05)
                if message["parent_header"].get("msg_id") == request:
                    idle = message["content"].get("execution_state") == "idle"
                    messages.append(message)
        kinds = ("stream", "display_data", "update_display_data", "execute_result", "error")
        while (reply := self._client.get_shell_msg(timeout=10))["parent_header"].get("msg_id") != request:
            pass
        return [each for each in messages if each["msg_type"] in kinds], asked, reply["content"]

    def value(self, expression):
        """Return the value of an expression that JSON knows."""
        messages, _, _ = self.run(f"import json; print(json.dumps({expression}))")
        return json.loads(messages[0]["content"]["text"])


def kinds(messages):
    return [message["msg_type"] for message in messages]


def written(messages):
    return json.dumps([message["content"] for message in messages])


def error_lines(messages):
    assert kinds(messages) == ["error"]
    return "\n".join(messages[0]["content"]["traceback"]).splitlines()


def view(messages, kind="text/plain"):
    """Return what the cell's one live display has come to."""
    shown = [each["content"] for each in messages if each["msg_type"] in {"display_data", "update_display_data"}]
    shown = [content for content in shown if "text/plain" in content["data"]]
    assert len({content["transient"]["display_id"] for content in shown}) == 1
    return shown[-1]["data"][kind]
