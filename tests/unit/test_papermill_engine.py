"""`papermill --engine fairing_azure`: the real papermill, which leaves a record and behaves as ever."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fairing_az_jupyter.records import RunStore

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRING_AZURE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return RunStore(tmp_path / "runs")


def write(path, *cells, parameters="rate = 0.1", kernel="python3", language="python"):
    tagged = [new_code_cell(parameters, metadata={"tags": ["parameters"]})] if parameters is not None else []
    metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": language}}
    notebook = new_notebook(
        cells=[new_markdown_cell("# Prices"), *tagged, *(new_code_cell(cell) for cell in cells)], metadata=metadata
    )
    path.parent.mkdir(exist_ok=True)
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    return path.read_bytes()


def papermill(tmp_path, *arguments, cwd=None, engine=True, **more):
    command = [sys.executable, "-m", "papermill", *arguments, "--no-progress-bar"]
    command += ["--engine", "fairing_azure"] if engine else []
    return subprocess.run(
        command, cwd=cwd or tmp_path, capture_output=True, text=True, timeout=100, check=False, **more
    )


def outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in shown)


def test_run_leaves_a_record_beside_the_notebook_that_papermill_writes(store, tmp_path):
    original = write(
        tmp_path / "a b" / "prices.ipynb",
        "print('rate is', rate)",
        "from fairing_az_jupyter import report\nreport('rmse', rate * 2)",
    )

    done = papermill(tmp_path, "a b/prices.ipynb", "out.ipynb", "-p", "rate", "0.25")

    assert done.returncode == 0, done.stderr
    assert "rate is 0.25" in outputs(tmp_path / "out.ipynb")
    (info,) = store.list()
    assert (info.state, info.notebook, info.output) == ("succeeded", "a b/prices.ipynb", "out.ipynb")
    assert (info.parameters, info.metrics) == ({"rate": 0.25}, {"rmse": 0.5})
    folder = store.folder(info.id)
    assert (folder / "notebook.ipynb").read_bytes() == original
    assert outputs(folder / "executed.ipynb") == outputs(tmp_path / "out.ipynb")
    assert "rate is 0.25" in (folder / "log.txt").read_text()


def test_executed_notebook_is_that_of_plain_papermill(store, tmp_path):
    write(tmp_path / "prices.ipynb", "print(rate)", "rate + 1")
    for name, engine in (("plain.ipynb", False), ("ours.ipynb", True)):
        done = papermill(tmp_path, "prices.ipynb", name, "-p", "rate", "2", engine=engine)
        assert done.returncode == 0, done.stderr

    plain, ours = (nbformat.read(tmp_path / name, as_version=4) for name in ("plain.ipynb", "ours.ipynb"))
    assert [cell.source for cell in ours.cells] == [cell.source for cell in plain.cells]
    assert [cell.get("outputs") for cell in ours.cells] == [cell.get("outputs") for cell in plain.cells]
    assert set(ours.metadata.papermill) == set(plain.metadata.papermill)
    assert ours.metadata.papermill.parameters == plain.metadata.papermill.parameters


def test_cell_that_raises_fails_papermill_as_ever_and_is_recorded(store, tmp_path):
    write(tmp_path / "prices.ipynb", "print('before')", "1 / 0", "print('never')")

    done = papermill(tmp_path, "prices.ipynb", "out.ipynb", "-p", "rate", "5")

    assert done.returncode == 1
    assert "PapermillExecutionError" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert "fairing_az_jupyter.exceptions" not in done.stderr
    error = store.find("last").error
    assert error["cell"] == 5
    assert error["source"] == "1 / 0"
    assert "ZeroDivisionError: division by zero" in error["message"]
    assert "ZeroDivisionError" in "\n".join(error["traceback"])
    notebook = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert "papermill-error-cell" in "".join(cell.source for cell in notebook.cells)
    assert outputs(store.folder(store.find("last").id) / "executed.ipynb").startswith("before")


def test_kernel_that_dies_fails_papermill_and_is_recorded(store, tmp_path):
    write(tmp_path / "prices.ipynb", "import os\nos._exit(7)")

    done = papermill(tmp_path, "prices.ipynb", "out.ipynb")

    assert done.returncode != 0
    info = store.find("last")
    assert (info.state, info.error["code"]) == ("failed", "kernel-died")
    assert "status 7" in info.error["message"]


def test_working_folder_of_papermill_is_the_kernels_and_the_notebook_is_kept_as_it_was(store, tmp_path, monkeypatch):
    original = write(tmp_path / "books" / "prices.ipynb", "import os\nprint(os.getcwd())")
    (tmp_path / "data").mkdir()

    done = papermill(tmp_path, "books/prices.ipynb", "out.ipynb", "--cwd", "data", "-p", "rate", "1")

    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "data") in outputs(tmp_path / "out.ipynb")
    info = store.find("last")
    assert (store.folder(info.id) / "notebook.ipynb").read_bytes() == original
    monkeypatch.chdir("/")
    request = store.request(info.id)
    assert (request.notebook, request.output) == (str(tmp_path / "books/prices.ipynb"), str(tmp_path / "out.ipynb"))
    assert request.cwd == str(tmp_path / "data")


def test_notebook_without_a_parameters_cell_runs(store, tmp_path):
    write(tmp_path / "prices.ipynb", "print('hello')", parameters=None)

    done = papermill(tmp_path, "prices.ipynb", "out.ipynb")

    assert done.returncode == 0, done.stderr
    assert store.find("last").parameters == {}


def test_notebook_may_be_executed_in_its_place(store, tmp_path):
    original = write(tmp_path / "prices.ipynb", "print('rate', rate)")

    done = papermill(tmp_path, "prices.ipynb", "prices.ipynb", "-p", "rate", "3")

    assert done.returncode == 0, done.stderr
    assert "rate 3" in outputs(tmp_path / "prices.ipynb")
    assert (store.folder(store.find("last").id) / "notebook.ipynb").read_bytes() == original


def test_notebook_that_is_only_prepared_leaves_no_record(store, tmp_path):
    write(tmp_path / "prices.ipynb", "print(rate)")

    done = papermill(tmp_path, "prices.ipynb", "out.ipynb", "--prepare-only", "-p", "rate", "3")

    assert done.returncode == 0, done.stderr
    assert store.list() == []


def test_notebook_from_standard_input_to_standard_output_is_recorded(store, tmp_path):
    write(tmp_path / "prices.ipynb", "print('hello', rate)")
    with (tmp_path / "prices.ipynb").open() as file:
        done = papermill(tmp_path, "-", "-", stdin=file)

    assert done.returncode == 0, done.stderr
    assert "hello 0.1" in outputs_of_text(done.stdout)
    info = store.find("last")
    assert info.state == "succeeded"
    assert b"hello" in (store.folder(info.id) / "notebook.ipynb").read_bytes()


def outputs_of_text(text):
    return "".join(o.get("text", "") for c in nbformat.reads(text, 4).cells for o in c.get("outputs", ()))


def test_papermills_own_python_interface_records_with_limits(store, tmp_path, run_python):
    write(tmp_path / "prices.ipynb", "import time\nprint('begun')\ntime.sleep(60)")
    script = (
        "import papermill\n"
        "try:\n    papermill.execute_notebook('prices.ipynb', 'out.ipynb', {'rate': 2}, engine_name='fairing_azure',\n"
        "        progress_bar=False, deadline=3)\n"
        "except Exception as error:\n    print(type(error).__name__, error)"
    )

    done = run_python(script)

    assert "RunFailedError" in done.stdout
    assert "deadline of 3 s" in done.stdout
    info = store.find("last")
    assert (info.state, info.error["code"], info.parameters) == ("failed", "deadline", {"rate": 2})


def test_papermills_timeout_and_log_of_output_work(store, tmp_path):
    write(tmp_path / "prices.ipynb", "print('told in the log')", "import time\ntime.sleep(60)")

    done = papermill(tmp_path, "prices.ipynb", "out.ipynb", "--execution-timeout", "2", "--log-output")

    assert done.returncode != 0
    assert "told in the log" in done.stderr
    assert store.find("last").error["code"] == "cell-timeout"


def test_secret_parameter_is_refused_and_nowhere_to_be_found(store, tmp_path):
    write(tmp_path / "prices.ipynb", "print('hello')", parameters="password = None")

    done = papermill(tmp_path, "prices.ipynb", "out.ipynb", "-p", "password", "marked-value-0815")

    assert done.returncode != 0
    assert store.list() == []
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in files if b"marked-value-0815" in path.read_bytes()]


@pytest.mark.parametrize("place", ["a-file", "/proc/nowhere/runs"])
def test_records_that_can_not_be_kept_stop_the_run_with_the_reason(store, tmp_path, monkeypatch, place):
    (tmp_path / "a-file").write_text("mine")
    monkeypatch.setenv("FAIRING_AZURE_RUNS", place)
    write(tmp_path / "prices.ipynb", "print('never')")

    done = papermill(tmp_path, "prices.ipynb", "out.ipynb")

    assert done.returncode != 0
    assert "its record can't be created in" in done.stderr
    assert not (tmp_path / "out.ipynb").exists()


def test_other_engines_do_not_care_about_records_that_can_not_be_kept(store, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRING_AZURE_RUNS", "/proc/nowhere/runs")
    monkeypatch.setenv("FAIRING_AZURE_HOME", "/proc/nowhere/home")
    write(tmp_path / "prices.ipynb", "print('hello')")

    done = papermill(tmp_path, "prices.ipynb", "out.ipynb", engine=False)

    assert done.returncode == 0, done.stderr


def test_importing_papermill_loads_next_to_nothing_of_this_package(run_python):
    done = run_python(
        "import sys, papermill\nfrom papermill.engines import papermill_engines\n"
        "print(papermill_engines.get_engine('fairing_azure').__name__)\n"
        "ours = sorted(name for name in sys.modules if name.startswith('fairing_az_jupyter'))\n"
        "print(len(ours), [name for name in ours if 'clients' in name or 'settings' in name or 'services' in name])\n"
        "print(sorted({'azure', 'kubernetes', 'pydantic', 'psutil', 'kubeflow'} & set(sys.modules)))"
    )

    name, ours, others = done.stdout.splitlines()
    assert name == "RecordingEngine"
    assert int(ours.split()[0]) < 30
    assert ours.endswith("[]")
    assert "pydantic" not in others


def test_interrupt_cancels_the_run_and_records_it(store, tmp_path):
    write(tmp_path / "prices.ipynb", "import time\nprint('begun', flush=True)\ntime.sleep(100)")
    command = [sys.executable, "-m", "papermill", "prices.ipynb", "out.ipynb", "--engine", "fairing_azure"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: any("begun" in path.read_text() for path in store.path.glob("*/log.txt")))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=40)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode not in {0, -signal.SIGKILL}
    assert store.find("last").state == "cancelled"
    assert "begun" in outputs(store.folder(store.find("last").id) / "executed.ipynb")


def test_run_of_papermill_is_cancelled_from_elsewhere(store, tmp_path):
    write(tmp_path / "prices.ipynb", "import time\nprint('begun', flush=True)\ntime.sleep(100)")
    command = [sys.executable, "-m", "papermill", "prices.ipynb", "out.ipynb", "--engine", "fairing_azure"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: any("begun" in path.read_text() for path in store.path.glob("*/log.txt")))
        cancel = [sys.executable, "-m", "fairing_az_jupyter", "runs", "cancel", "last"]
        assert subprocess.run(cancel, check=False).returncode == 0
        process.communicate(timeout=40)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode not in {0, -signal.SIGKILL}
    assert store.find("last").state == "cancelled"


def test_run_of_papermill_is_repeated_by_its_record(store, tmp_path):
    write(tmp_path / "books" / "prices.ipynb", "print('rate', rate)")
    assert papermill(tmp_path, "books/prices.ipynb", "out.ipynb", "-p", "rate", "4").returncode == 0
    first = store.find("last").id
    (tmp_path / "out.ipynb").unlink()

    command = [sys.executable, "-m", "fairing_az_jupyter", "runs", "retry", first, "--json"]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["result"]["status"] == "succeeded"
    assert "rate 4" in outputs(tmp_path / "out.ipynb")
    info = store.find("last")
    assert (info.retry_of, info.parameters) == (first, {"rate": 4})


def test_notebook_of_another_language_fails_as_with_plain_papermill(store, tmp_path):
    write(tmp_path / "prices.ipynb", "print('hello')", kernel="ir", language="R")

    plain = papermill(tmp_path, "prices.ipynb", "out.ipynb", engine=False)
    ours = papermill(tmp_path, "prices.ipynb", "out.ipynb")

    assert plain.returncode != 0
    assert ours.returncode != 0
    assert "ir" in ours.stderr.splitlines()[-1]
    assert store.find("last").state == "failed"


def wait_until(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_engine_may_be_imported_before_papermill(run_python):
    done = run_python(
        "from fairing_az_jupyter.runs.papermill_engine import RecordingEngine\n"
        "from papermill.engines import papermill_engines\n"
        "print(papermill_engines.get_engine('fairing_azure') is RecordingEngine)"
    )

    assert done.stdout == "True\n"
