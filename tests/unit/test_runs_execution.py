"""Notebook runs with the real papermill and real kernels."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from jupyter_client.provisioning.local_provisioner import LocalPortCache
from nbformat.v4 import new_code_cell, new_notebook

from fairing_az_jupyter.exceptions import InputError, RunCancelledError, RunFailedError
from fairing_az_jupyter.models import RunEvent, RunRequest
from fairing_az_jupyter.runs.execution.execute import execute
from tests.unit.runs_scene import read, run, write_notebook

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]


OTHERS: set[int] = set()


def kinds(events: list[RunEvent]) -> list[str]:
    return [event.kind for event in events]


def children() -> set[int]:
    return {
        child.pid
        for child in psutil.Process().children(recursive=True)
        if child.is_running() and child.status() != psutil.STATUS_ZOMBIE
    }


@pytest.fixture(autouse=True)
def others(monkeypatch) -> None:
    """Remember the servers that other tests of this session have started."""
    monkeypatch.setitem(globals(), "OTHERS", children())


def kernels() -> set[int]:
    return children() - OTHERS


def printed(events: list[RunEvent], stream: str) -> str:
    return "".join(event.text or "" for event in events if event.stream == stream)


def test_run_injects_the_parameters_and_writes_a_valid_notebook(tmp_path):
    path = write_notebook(tmp_path / "nb.ipynb", "print(ALPHA * 2, NAME)", parameters="ALPHA = 1\nNAME = 'a'")

    events, output, result = run(path, parameters={"ALPHA": 21, "NAME": 'it\'s "x"\n'})

    assert printed(events, "stdout") == '42 it\'s "x"\n\n'
    executed = read(output)
    assert executed.metadata.papermill.parameters == {"ALPHA": 21, "NAME": 'it\'s "x"\n'}
    assert executed.metadata.papermill.input_path == str(path)
    assert executed.metadata.papermill.output_path == str(output)
    assert [cell.metadata.papermill.status for cell in executed.cells] == ["completed"] * 4
    assert result.status == "succeeded"
    assert result.output == str(output)
    assert result.cells_executed == 3


def test_executed_notebook_has_the_metadata_of_plain_papermill(tmp_path):
    path = write_notebook(tmp_path / "nb.ipynb", "print(ALPHA)", parameters="ALPHA = 1")
    plain = tmp_path / "plain.ipynb"
    script = "import sys, papermill; papermill.execute_notebook(*sys.argv[1:], parameters={'ALPHA': 2})"
    subprocess.run([sys.executable, "-c", script, str(path), str(plain)], check=True, capture_output=True, timeout=100)

    _, output, _ = run(path, parameters={"ALPHA": 2})

    def shape(notebook: nbformat.NotebookNode) -> object:
        document = json.loads(nbformat.writes(notebook))
        for cell in [document, *document["cells"]]:
            cell.pop("id", None)
            for times in ("papermill", "execution"):
                record = cell["metadata"].get(times, {})
                for key in list(record):
                    if "time" in key or "iopub" in key or "shell" in key or key in {"duration", "output_path"}:
                        record[key] = type(record[key]).__name__
        return document

    assert shape(read(output)) == shape(read(plain))


def test_run_leaves_every_byte_of_the_notebook_alone(tmp_path):
    path = write_notebook(tmp_path / "nb.ipynb", "1 + 1")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    before = path.read_bytes()
    path.chmod(0o444)

    _, output, result = run(path)

    assert result.status == "succeeded"
    assert path.read_bytes() == before
    assert read(output).cells[1].outputs[0].data["text/plain"] == "2"


def test_printed_lines_arrive_while_the_cell_runs(tmp_path):
    path = write_notebook(
        tmp_path / "nb.ipynb",
        "import sys, time\nfor i in range(3):\n    print('line', i)\n    time.sleep(0.7)\n"
        "print('end', file=sys.stderr)",
    )

    events, _, _ = run(path)

    lines = [event for event in events if event.stream == "stdout"]
    assert [event.text for event in lines] == ["line 0\n", "line 1\n", "line 2\n"]
    assert all(later.time - earlier.time > 0.4 for earlier, later in itertools.pairwise(lines))
    assert printed(events, "stderr") == "end\n"


def test_results_are_told_as_text_and_figures_without_their_image(tmp_path):
    path = write_notebook(
        tmp_path / "nb.ipynb",
        "from IPython.display import display, Image, HTML\n"
        "display(HTML('<b>bold</b>'))\n"
        "handle = display('first', display_id=True)\nhandle.update('second')\n"
        "display({'image/png': 'iVBORw0KGgo='}, raw=True)\n"
        "6 * 7",
    )

    events, _, _ = run(path)

    shown = [event.text for event in events if event.stream == "display"]
    assert shown == ["<IPython.core.display.HTML object>", "'first'", "'second'", "42"]


def test_events_tell_the_run_cell_by_cell(tmp_path):
    path = write_notebook(tmp_path / "nb.ipynb", "a = 1", "", "print(a)")

    events, _, result = run(path)

    assert kinds(events) == [
        "run-started",
        "cell-started",
        "cell-finished",
        "cell-started",
        "output",
        "cell-finished",
        "run-finished",
    ]
    assert [(event.cell, event.cells) for event in events[1:6]] == [(2, 4)] * 2 + [(4, 4)] * 3
    assert all(event.duration is not None for event in events if event.kind in {"cell-finished", "run-finished"})
    assert result.cells_executed == 2
    assert json.loads(json.dumps([event.to_dict() for event in events], allow_nan=False))


def test_failing_cell_is_named_in_one_line_with_the_end_of_its_traceback(tmp_path):
    path = write_notebook(tmp_path / "nb.ipynb", "print('before')", "raise ValueError('no\\nluck')", "print('after')")

    events, output, error = run(path)

    assert isinstance(error, RunFailedError)
    assert error.message == f"Cell 3 of 4 (In [2]) of '{path}' failed: ValueError: no luck."
    assert str(output) in error.hint
    assert error.last_lines[-2:] == ("ValueError: no", "luck")
    assert not any("\x1b" in line for line in error.last_lines)
    assert kinds(events)[-2:] == ["cell-failed", "run-failed"]
    assert "ValueError: no luck" in events[-2].message
    executed = read(output)
    failed = next(cell for cell in executed.cells if cell.metadata.get("papermill", {}).get("status") == "failed")
    assert failed.outputs[0].ename == "ValueError"
    assert executed.cells[-1].metadata.papermill.status == "pending"


def test_sys_exit_with_0_ends_the_run_well(tmp_path):
    path = write_notebook(tmp_path / "nb.ipynb", "import sys\nsys.exit(0)", "print('never')")

    events, _, result = run(path)

    assert result.status == "succeeded"
    assert printed(events, "stdout") == ""
    assert "cell-failed" not in kinds(events)


def test_death_of_the_kernel_is_told_with_its_exit_status(tmp_path):
    path = write_notebook(tmp_path / "nb.ipynb", "print('alive', flush=True)", "import os\nos._exit(7)", "1")

    events, output, error = run(path)

    assert isinstance(error, RunFailedError)
    assert error.message == f"Cell 3 of 4 of '{path}' failed: the kernel died (its process ended with status 7)."
    assert error.returncode == 7
    assert kinds(events)[-2:] == ["cell-failed", "run-failed"]
    assert [cell.metadata.papermill.status for cell in read(output).cells][1:] == ["completed", "failed", "pending"]
    assert kernels() == set()


def test_kernel_killed_for_want_of_memory_is_told_so(tmp_path):
    path = write_notebook(tmp_path / "nb.ipynb", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")

    _, _, error = run(path)

    assert "memory" in error.message
    assert error.returncode == -signal.SIGKILL


def test_cell_that_takes_longer_than_its_limit_fails(tmp_path):
    path = write_notebook(tmp_path / "nb.ipynb", "import time\ntime.sleep(60)")

    _, output, error = run(path, cell_timeout=0.5)

    assert isinstance(error, RunFailedError)
    assert "took longer than 0.5 s" in error.message
    assert read(output).cells[1].metadata.papermill.status == "failed"
    assert kernels() == set()


def test_kernel_works_beside_the_notebook_and_knows_its_path(tmp_path, monkeypatch):
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "train.csv").write_text("1,2", encoding="utf-8")
    write_notebook(folder / "nb.ipynb", "import os\nprint(open('train.csv').read(), os.environ['JPY_SESSION_NAME'])")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)

    events, _, _ = run(Path("a folder/nb.ipynb"))

    assert printed(events, "stdout") == f"1,2 {folder}/nb.ipynb\n"
    assert "JPY_SESSION_NAME" not in os.environ
    assert Path.cwd() == tmp_path


def test_kernel_works_where_the_request_says(tmp_path):
    path = write_notebook(tmp_path / "nb.ipynb", "import os\nprint(os.getcwd())")
    (tmp_path / "elsewhere").mkdir()

    events, _, _ = run(path, cwd=str(tmp_path / "elsewhere"))

    assert printed(events, "stdout") == f"{tmp_path}/elsewhere\n"


def test_braces_in_paths_are_no_placeholders(tmp_path):
    folder = tmp_path / "{ALPHA} {0}"
    folder.mkdir()
    path = write_notebook(folder / "n{b.ipynb", "1")

    _, output, result = run(path, parameters={})

    assert result.status == "succeeded"
    assert read(output).metadata.papermill.input_path == str(path)


def test_notebook_that_names_no_kernel_runs_on_python3(tmp_path):
    path = tmp_path / "nb.ipynb"
    cells = [new_code_cell("A = 1", metadata={"tags": ["parameters"]}), new_code_cell("print(A)")]
    path.write_text(nbformat.writes(new_notebook(cells=cells)), encoding="utf-8")

    events, _, _ = run(path, parameters={"A": 5})

    assert printed(events, "stdout") == "5\n"


def test_second_run_replaces_the_output_of_the_first(tmp_path):
    path = write_notebook(tmp_path / "nb.ipynb", "print(A)", parameters="A = 0")
    run(path, parameters={"A": 1})

    _, output, _ = run(path, parameters={"A": 2})

    assert read(output).cells[-1].outputs[0].text == "2\n"


def test_two_runs_at_once_in_threads_do_not_disturb_each_other(tmp_path):
    outcomes = {}

    def work(name: str) -> None:
        folder = tmp_path / name
        folder.mkdir()
        events, output, _ = run(write_notebook(folder / "nb.ipynb", "import os\nprint(os.getcwd())"))
        outcomes[name] = printed(events, "stdout"), read(output).metadata.papermill.output_path

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)

    assert outcomes == {n: (f"{tmp_path}/{n}\n", f"{tmp_path}/{n}/out.ipynb") for n in ("one", "two")}


def test_kernel_that_cannot_start_is_told_with_its_reason(tmp_path, monkeypatch):
    spec = tmp_path / "share" / "kernels" / "broken"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-c", "raise SystemExit('no such thing as a kernel here')", "{connection_file}"]
    kernel = {"argv": argv, "display_name": "Broken", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(kernel), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    path = write_notebook(tmp_path / "nb.ipynb", "1")

    events, output, error = run(path, kernel_name="broken")

    assert isinstance(error, RunFailedError)
    assert "'broken' did not start" in error.message
    assert "no such thing as a kernel here" in error.message
    assert kinds(events) == ["run-started", "run-failed"]
    assert not output.exists()


@pytest.mark.parametrize(("taken", "end"), [(1, "run-finished"), (20, "run-failed")])
def test_kernel_whose_port_another_process_has_taken_gets_others(tmp_path, monkeypatch, taken, end):
    free, asked, lost = LocalPortCache.find_available_port, [], iter(range(taken))
    with socket.create_server(("127.0.0.1", 0)) as other:

        def find(self, ip):
            # A kernel has five ports; one that is taken is enough.
            asked.append(ip)
            return other.getsockname()[1] if len(asked) % 5 == 1 and next(lost, None) is not None else free(self, ip)

        monkeypatch.setattr(LocalPortCache, "find_available_port", find)
        events, _, _ = run(write_notebook(tmp_path / "a.ipynb", "print(6 * 7)"))

    assert events[-1].kind == end, events[-1]
    assert printed(events, "stdout") == ("42\n" if end == "run-finished" else "")
    assert ("Address already in use" in (events[-1].message or "")) == (end == "run-failed")


def test_kernel_that_keeps_silent_is_told_as_such_and_not_by_the_words_of_its_end(tmp_path, monkeypatch):
    spec = tmp_path / "share" / "kernels" / "silent"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-c", "import time; time.sleep(60)", "{connection_file}"]
    kernel = {"argv": argv, "display_name": "Silent", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(kernel), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    path = write_notebook(tmp_path / "nb.ipynb", "1")

    _, _, error = run(path, kernel_name="silent", start_timeout=1.0)

    assert "Kernel didn't respond in 1 seconds" in error.message


def test_kernel_whose_program_is_gone_is_told(tmp_path, monkeypatch):
    spec = tmp_path / "share" / "kernels" / "gone"
    spec.mkdir(parents=True)
    kernel = {"argv": ["/no/such/python", "{connection_file}"], "display_name": "Gone", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(kernel), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))

    _, _, error = run(write_notebook(tmp_path / "nb.ipynb", "1"), kernel_name="gone")

    assert isinstance(error, RunFailedError)
    assert "/no/such/python" in error.message


def test_listener_that_fails_stops_the_run_and_gets_its_own_error(tmp_path):
    path = write_notebook(tmp_path / "nb.ipynb", "print('x', flush=True)\nimport time\ntime.sleep(60)")
    begin = time.monotonic()

    def listener(event: RunEvent) -> None:
        if event.kind == "output":
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        execute(RunRequest(str(path), str(tmp_path / "out.ipynb")), listener)

    assert time.monotonic() - begin < 30
    assert kernels() == set()


def test_event_set_in_another_thread_cancels_the_run(tmp_path):
    path = write_notebook(tmp_path / "nb.ipynb", "print('x', flush=True)\nimport time\ntime.sleep(60)", "print('no')")
    cancel = threading.Event()
    events: list[RunEvent] = []

    def listener(event: RunEvent) -> None:
        events.append(event)
        if event.kind == "output":
            cancel.set()

    with pytest.raises(RunCancelledError, match="cancelled in cell 2 of 3"):
        execute(RunRequest(str(path), str(tmp_path / "out.ipynb")), listener, cancels=(cancel,))

    assert kinds(events)[-2:] == ["cell-failed", "run-cancelled"]
    assert "no" not in printed(events, "stdout")
    assert kernels() == set()


def test_run_that_is_cancelled_before_it_begins_starts_no_kernel(tmp_path):
    path = write_notebook(tmp_path / "nb.ipynb", "1")
    cancel = threading.Event()
    cancel.set()
    events: list[RunEvent] = []

    with pytest.raises(RunCancelledError, match="before its first cell"):
        execute(RunRequest(str(path), str(tmp_path / "out.ipynb")), events.append, cancels=(cancel,))

    assert kinds(events) == ["run-started", "run-cancelled"]
    assert not (tmp_path / "out.ipynb").exists()


def test_run_works_where_an_event_loop_already_runs(tmp_path):
    path = write_notebook(tmp_path / "nb.ipynb", "print('inside')")

    async def as_in_a_notebook() -> str:
        return printed(run(path)[0], "stdout")

    assert asyncio.run(as_in_a_notebook()) == "inside\n"


def test_signal_handlers_are_put_back(tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    run(write_notebook(tmp_path / "nb.ipynb", "1"))

    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_importing_the_room_does_not_import_papermill():
    script = (
        "import sys, fairing_az_jupyter.runs.execution.execute, fairing_az_jupyter.runs.parameters.values;"
        "print([name for name in ('papermill', 'nbformat', 'zmq', 'IPython') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)

    assert done.stdout == "[]\n"


def test_nothing_is_started_for_a_request_that_cannot_work(tmp_path):
    path = write_notebook(tmp_path / "nb.ipynb", "1")

    events, output, error = run(path, kernel_name="no-such-kernel")

    assert isinstance(error, InputError)
    assert "'no-such-kernel'" in error.message
    assert "'python3'" in error.message
    assert events == []
    assert not output.exists()
