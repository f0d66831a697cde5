"""A front end without a browser: it keeps the widgets that a kernel opens, and clicks and types as a user does."""

from __future__ import annotations

import contextlib
import html
import queue
import re
import time

OPEN = """
from fairing_az_jupyter.frontends.panel import close_panels, open_panel
panel = open_panel(get_ipython())
panel.show()
"""
WIDGET = "application/vnd.jupyter.widget-view+json"


class FrontEnd:
    """What a front end knows of one kernel.

    Args:
        client: A started client of it.

    """

    def __init__(self, client):
        self._client = client
        self.widgets, self.messages, self.roots = {}, [], []

    def run(self, code, *, cell=""):
        """Run a cell; return its messages."""
        request = self._client.session.msg(
            "execute_request",
            {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False},
            metadata={"cellId": cell},
        )
        self._client.shell_channel.send(request)
        number = request["header"]["msg_id"]
        mine = []

        def is_over():
            mine[:] = [each for each in self.messages if each["parent_header"].get("msg_id") == number]
            return any(each["content"].get("execution_state") == "idle" for each in mine)

        self.wait_until(is_over)
        errors = [each["content"]["traceback"] for each in mine if each["msg_type"] == "error"]
        assert not errors, "\n".join(errors[0])
        return mine

    def printed(self, code):
        """Return what a cell prints."""
        messages = self.run(code)
        return "".join(each["content"]["text"] for each in messages if each["msg_type"] == "stream")

    def open_panel(self, *, cell=""):
        """Open a panel, and look at it."""
        self.run(OPEN, cell=cell)
        return self.roots[-1]

    def wait_until(self, is_so, seconds=60):
        """Take messages until something is so."""
        end = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < end, f"it does not become so; the panel says: {self.roots and self.text()}"
            with contextlib.suppress(queue.Empty):
                self._take(self._client.get_iopub_msg(timeout=0.1))

    def wait_for(self, text, *, root=None, seconds=60):
        """Take messages until a panel says something."""
        self.wait_until(lambda: text in self.text(root), seconds)

    def text(self, root=None):
        """Return what a panel, the last one or another, shows: labels, values and texts, one a line."""
        return "\n".join(self._texts(self.shown(root)))

    def shown(self, root=None):
        """Return the state of each widget that a panel shows, by its comm, in their order."""
        found = {}
        pending = [self.roots[-1] if root is None else root]
        while pending:
            name = pending.pop(0)
            state = self.widgets.get(name)
            if state is not None:
                found[name] = state
                pending = [child.removeprefix("IPY_MODEL_") for child in state.get("children", ())] + pending
        return found

    def find(self, label, *, root=None, kind=""):
        """Return the comm of the one widget that is shown with a label."""
        found = [
            name
            for name, state in self.shown(root).items()
            if kind in state["_model_name"] and re.fullmatch(label, state.get("description", ""))
        ]
        assert len(found) == 1, f"{label}: {len(found)} in {self.text(root)}"
        return found[0]

    def is_shown(self, label, *, root=None):
        """Tell whether a widget with a label is shown."""
        return any(re.fullmatch(label, state.get("description", "")) for state in self.shown(root).values())

    def click(self, label, *, root=None):
        """Press a button, and wait till the kernel has taken it."""
        name = self.find(label, root=root, kind="Button")
        assert not self.widgets[name].get("disabled"), f"{label} can't be pressed"
        self._send(name, {"method": "custom", "content": {"event": "click"}})

    def type(self, label, value, *, root=None):
        """Type into a field, and leave it."""
        name = self.find(label, root=root)
        self._send(name, {"method": "update", "state": {"value": value}, "buffer_paths": []})

    def choose(self, label, option, *, root=None):
        """Choose of a list."""
        name = self.find(label, root=root, kind="Dropdown")
        index = list(self.widgets[name]["_options_labels"]).index(option)
        self._send(name, {"method": "update", "state": {"index": index}, "buffer_paths": []})

    def value(self, label, *, root=None):
        """Return what a field shows."""
        state = self.widgets[self.find(label, root=root)]
        return state["_options_labels"][state["index"]] if "_options_labels" in state else state["value"]

    def close_comm(self, name):
        """Close a widget from here."""
        self._request("comm_close", {"comm_id": name, "data": {}})
        self.widgets.pop(name, None)

    def comms(self):
        """Return the comms of widgets that the kernel has."""
        request = self._client.comm_info(target_name="jupyter.widget")
        while (reply := self._client.get_shell_msg(timeout=20))["parent_header"].get("msg_id") != request:
            pass
        return set(reply["content"]["comms"])

    def _send(self, name, data):
        if data["method"] == "update":
            self.widgets[name].update(data["state"])
        self._request("comm_msg", {"comm_id": name, "data": data})

    def _request(self, kind, content):
        message = self._client.session.msg(kind, content)
        self._client.shell_channel.send(message)
        number = message["header"]["msg_id"]
        seen = len(self.messages)

        def is_over():
            return any(
                each["content"].get("execution_state") == "idle" and each["parent_header"].get("msg_id") == number
                for each in self.messages[seen:]
            )

        self.wait_until(is_over)

    def _take(self, message):
        self.messages.append(message)
        content = message["content"]
        if message["msg_type"] == "comm_open" and content["target_name"] == "jupyter.widget":
            self.widgets[content["comm_id"]] = dict(content["data"].get("state", {}))
        elif message["msg_type"] == "comm_close":
            self.widgets.pop(content["comm_id"], None)
        elif message["msg_type"] == "comm_msg" and content["data"].get("method") in {"update", "echo_update"}:
            self.widgets.get(content["comm_id"], {}).update(content["data"]["state"])
        elif message["msg_type"] == "display_data" and WIDGET in content["data"]:
            self.roots.append(content["data"][WIDGET]["model_id"])

    @staticmethod
    def _texts(widgets):
        for state in widgets.values():
            value = state.get("value", "")
            if state["_model_name"] == "HTMLModel":
                value = re.sub(r"<style>.*?</style>", "", value, flags=re.DOTALL)
                value = html.unescape(re.sub(r"<[^>]*>", " ", value))
            elif "_options_labels" in state:
                value = state["_options_labels"][state["index"]]
            text = " ".join(f"{state.get('description', '')} {value}".split())
            if text:
                yield text


def tables_of(messages):
    """Return the static tables among messages, the oldest first, by MIME type."""
    kinds = ("display_data", "update_display_data")
    found = [each["content"]["data"] for each in messages if each["msg_type"] in kinds]
    return [data for data in found if "fairing-az-static" in data.get("text/html", "")]
