"""`%fairing_azure fill` in a real kernel, with a front end that has the side panel, and with one that has not."""

from __future__ import annotations

import queue
import time

import pytest
from jupyter_client.manager import KernelManager

FILL = "%fairing_azure fill --docker-registry contoso.azurecr.io"


class FrontEnd:
    """A front end's side of the messages."""

    def __init__(self, folder):
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(cwd=str(folder))
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)

    def run(self, code):
        request, found = self._client.execute(code), []
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                message = self._client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["content"].get("execution_state") == "idle":
                return found
            found.append(message)
        raise AssertionError(f"the cell does not end: {code}")

    def tell(self, comm, kind, **data):
        content = {"comm_id": comm, "data": data}
        self._client.shell_channel.send(self._client.session.msg(kind, content))

    def end(self):
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


@pytest.fixture
def front_end(tmp_path):
    started = FrontEnd(tmp_path)
    yield started
    started.end()


def of(messages, kind):
    return [message["content"] for message in messages if message["msg_type"] == kind]


def test_the_side_panel_fills_once_it_has_said_that_it_is_there_and_no_more_when_it_has_gone(front_end):
    (opened,) = of(front_end.run("%load_ext fairing_az_jupyter"), "comm_open")
    assert opened["target_name"] == "fairing-az-jupyter"
    offered = front_end.run(FILL)
    assert of(offered, "comm_msg") == []
    assert "The next cell is the filled one." in "".join(each["text"] for each in of(offered, "stream"))

    front_end.tell(opened["comm_id"], "comm_msg", present=True, path="work/train.ipynb")
    messages = front_end.run(FILL)

    (asked,) = of(messages, "comm_msg")
    assert asked["data"] == {"fill": {"values": {"docker_registry": "contoso.azurecr.io"}, "profile": None}}
    assert "undo" in of(messages, "stream")[0]["text"]
    assert of(front_end.run(f"{FILL.replace('fill', 'fill work/train.ipynb')}"), "comm_msg")
    other = front_end.run(f"{FILL.replace('fill', 'fill other.ipynb')}")
    assert of(other, "comm_msg") == []
    front_end.tell(opened["comm_id"], "comm_close")
    assert of(front_end.run(FILL), "comm_msg") == []


def test_loading_the_extension_again_opens_no_second_link(front_end):
    first = front_end.run("%load_ext fairing_az_jupyter")
    again = front_end.run("%reload_ext fairing_az_jupyter")

    assert len(of(first, "comm_open")) == 1
    assert of(again, "comm_open") == []
