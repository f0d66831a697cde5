"""Jobs of jupyter-scheduler that this package executes: its real database, processes and REST API."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import psutil
import pytest

from fairing_az_jupyter import services

pytest.importorskip("jupyter_scheduler", reason="pip install jupyter-scheduler")
# jupyter-scheduler 2.12 is written for pydantic 1, and leaves its SQLite connections to the garbage collector.
pytestmark = [
    pytest.mark.kernel,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

EXECUTION_MANAGER = "fairing_az_jupyter.frontends.scheduler.FairingExecutionManager"
ENDED = {"COMPLETED", "FAILED", "STOPPED"}
SECONDS = 90


def write(path, *sources, kernel="python3"):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)


class Jobs:
    """jupyter-scheduler's own scheduler with a folder of notebooks."""

    def __init__(self, folder):
        from jupyter_scheduler.environments import CondaEnvironmentManager
        from jupyter_scheduler.orm import create_tables
        from jupyter_scheduler.scheduler import Scheduler
        from traitlets.config import Config

        self.root, self.staging = folder / "notebooks", folder / "staging"
        self.root.mkdir()
        settings = {"execution_manager_class": EXECUTION_MANAGER, "staging_path": str(self.staging)}
        database = f"sqlite:///{folder / 'jobs.sqlite'}"
        create_tables(database)
        self.scheduler = Scheduler(
            root_dir=str(self.root),
            environments_manager=CondaEnvironmentManager(),
            db_url=database,
            config=Config({"Scheduler": settings}),
        )

    def create(self, notebook, **more):
        from jupyter_scheduler.models import CreateJob

        given = {"runtime_environment_name": "this", "name": "nightly", "output_formats": ["ipynb", "html"], **more}
        return self.scheduler.create_job(CreateJob(input_uri=notebook, **given))

    def wait(self, job, states=ENDED):
        end = time.monotonic() + SECONDS
        while True:
            found = self.scheduler.get_job(job)
            # STOPPED is also how a new job looks before its process has begun.
            if found.status.value in states and found.start_time:
                return found
            assert time.monotonic() < end, found
            time.sleep(0.05)

    def staged(self, job, suffix):
        found = [path for path in (self.staging / job).glob(f"*{suffix}") if path.name != "prices.ipynb"]
        assert len(found) == 1, found
        return found[0].read_text(encoding="utf-8")


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRING_AZURE_RUNS", str(tmp_path / "runs"))
    return Jobs(tmp_path)


@pytest.fixture
def prices(jobs):
    write(jobs.root / "prices.ipynb", "rate = 0.1\nname = 'none'", "print(f'{name}: {rate * 2}')")
    return "prices.ipynb"


def test_a_job_ends_completed_with_its_outputs_and_leaves_a_record(jobs, prices):
    job = jobs.create(prices, parameters={"rate": "0.25", "name": "'Ames, 1.10'"})

    assert jobs.wait(job).status.value == "COMPLETED"
    assert "Ames, 1.10: 0.5" in jobs.staged(job, ".ipynb")
    assert "Ames, 1.10: 0.5" in jobs.staged(job, ".html")
    (run,) = services.list_runs(services.Session())
    assert (run.state, dict(run.parameters)) == ("succeeded", {"rate": 0.25, "name": "Ames, 1.10"})
    assert f"/{job}/" in run.notebook


def test_a_text_needs_no_quotes_where_the_cell_has_a_text(jobs, prices):
    job = jobs.create(prices, parameters={"name": "1.10"})

    assert jobs.wait(job).status.value == "COMPLETED"
    assert services.describe_run(services.Session(), "last").parameters["name"] == "1.10"


def test_a_failing_cell_fails_the_job_with_the_reason_and_still_writes_the_outputs(jobs):
    write(jobs.root / "prices.ipynb", "rate = 1", "print('before')", "raise ValueError('no houses')")

    found = jobs.wait(job := jobs.create("prices.ipynb"))

    assert found.status.value == "FAILED"
    assert "ValueError: no houses" in found.status_message
    assert found.end_time >= found.start_time
    for suffix in (".ipynb", ".html"):
        assert "before" in jobs.staged(job, suffix)
        assert "no houses" in jobs.staged(job, suffix)
    assert services.describe_run(services.Session(), "last").state == "failed"


def test_a_parameter_that_the_notebook_does_not_have_fails_the_job_before_anything_runs(jobs, prices):
    found = jobs.wait(job := jobs.create(prices, parameters={"rat": "1"}))

    assert found.status.value == "FAILED"
    assert "Did you mean 'rate'?" in found.status_message
    assert sorted(path.name for path in (jobs.staging / job).iterdir()) == ["prices.ipynb"]


def test_a_secret_among_the_parameters_fails_the_job_and_is_written_nowhere(jobs, tmp_path):
    secret = "hunter2-not-to-be-seen"
    write(jobs.root / "prices.ipynb", "db_password = None", "print(db_password)")

    found = jobs.wait(jobs.create("prices.ipynb", parameters={"db_password": secret}))

    assert found.status.value == "FAILED"
    assert "db_password" in found.status_message
    assert secret not in found.status_message
    assert not [path for path in (tmp_path / "runs").rglob("*") if path.is_file() and secret in path.read_text()]


def test_a_job_without_formats_leaves_a_record_all_the_same(jobs, prices):
    assert jobs.wait(jobs.create(prices, output_formats=[])).status.value == "COMPLETED"
    assert services.describe_run(services.Session(), "last").state == "succeeded"


def test_html_alone_is_written_from_the_executed_notebook(jobs, prices):
    job = jobs.create(prices, output_formats=["html"])

    assert jobs.wait(job).status.value == "COMPLETED"
    assert "none: 0.2" in jobs.staged(job, ".html")


def test_a_good_run_whose_page_can_not_be_written_says_where_the_notebook_is(jobs):
    blocking = "import glob, os\n[os.mkdir(name[:-5] + 'html') for name in glob.glob('prices-*.ipynb')]"
    write(jobs.root / "prices.ipynb", "rate = 1", blocking)

    found = jobs.wait(job := jobs.create("prices.ipynb"))

    assert found.status.value == "FAILED"
    assert "can't be converted to html" in found.status_message
    assert str(jobs.staging / job) in found.status_message
    assert services.describe_run(services.Session(), "last").state == "succeeded"


def test_a_very_long_reason_is_cut_to_what_the_database_holds(jobs):
    write(jobs.root / "prices.ipynb", "rate = 1", "raise ValueError('x' * 10_000)")

    found = jobs.wait(jobs.create("prices.ipynb"))

    assert found.status.value == "FAILED"
    assert len(found.status_message) <= 1024


def test_files_beside_the_notebook_are_there_and_those_that_it_writes_are_listed(jobs):
    (jobs.root / "houses.csv").write_text("price\n1\n")
    write(jobs.root / "prices.ipynb", "rate = 1", "open('copy.csv', 'w').write(open('houses.csv').read())")

    found = jobs.wait(jobs.create("prices.ipynb", package_input_folder=True))

    assert found.status.value == "COMPLETED", found.status_message
    assert {"houses.csv", "copy.csv"} <= set(found.packaged_files)


@pytest.mark.parametrize("content", [b"", b"{]", b"\xff\xfe", b'{"nbformat": 4}'])
def test_what_is_no_notebook_is_refused_when_the_job_is_asked_for(jobs, content):
    from jupyter_scheduler.exceptions import SchedulerError

    (jobs.root / "broken.ipynb").write_bytes(content)

    with pytest.raises(SchedulerError, match=r"broken\.ipynb"):
        jobs.create("broken.ipynb")


def test_a_kernel_that_is_not_installed_fails_the_job_by_its_name(jobs):
    write(jobs.root / "prices.ipynb", "rate = 1", kernel="no-such-kernel")

    found = jobs.wait(jobs.create("prices.ipynb"))

    assert found.status.value == "FAILED"
    assert "no-such-kernel" in found.status_message


def test_a_run_that_is_cancelled_ends_its_job_stopped(jobs):
    write(jobs.root / "prices.ipynb", "rate = 1", "print('begun', flush=True)\nimport time\ntime.sleep(60)")
    job = jobs.create("prices.ipynb")
    end = time.monotonic() + SECONDS
    while not any(run.cell == 2 for run in services.list_runs(services.Session(), state="running")):
        assert time.monotonic() < end
        time.sleep(0.05)

    services.cancel_run(services.Session(), "last")

    end = time.monotonic() + SECONDS
    while (found := jobs.wait(job, {"STOPPED", "IN_PROGRESS"})).status.value == "IN_PROGRESS":
        assert time.monotonic() < end
        time.sleep(0.05)
    assert "cancelled" in found.status_message
    assert services.describe_run(services.Session(), "last").state == "cancelled"


def test_a_job_that_jupyter_scheduler_stops_is_told_lost_and_can_be_retried(jobs):
    write(jobs.root / "prices.ipynb", "rate = 1", "import time\ntime.sleep(rate * 60)")
    job = jobs.create("prices.ipynb")
    end = time.monotonic() + SECONDS
    while not any(run.cell for run in services.list_runs(services.Session(), state="running")):
        assert time.monotonic() < end
        time.sleep(0.05)
    (run,) = services.list_runs(services.Session())

    jobs.scheduler.stop_job(job)

    assert jobs.scheduler.get_job(job).status.value == "STOPPED"
    while (state := services.describe_run(services.Session(), run.id).state) == "running":
        assert time.monotonic() < end
        time.sleep(0.05)
    assert state == "lost"
    assert services.plan_retry(services.Session(), run.id).parameters == run.parameters


def test_two_jobs_at_once_have_a_record_each(jobs, prices):
    both = [jobs.create(prices, parameters={"rate": rate}) for rate in ("1", "2")]

    assert [jobs.wait(job).status.value for job in both] == ["COMPLETED", "COMPLETED"]
    assert {run.parameters["rate"] for run in services.list_runs(services.Session(), state="succeeded")} == {1, 2}


def test_a_schedule_starts_a_run(jobs, prices):
    from jupyter_scheduler.models import CreateJobDefinition, ListJobsQuery

    # croniter's sixth field: every second.
    every_second = "* * * * * *"
    definition = jobs.scheduler.create_job_definition(
        CreateJobDefinition(
            input_uri=prices,
            runtime_environment_name="this",
            name="nightly",
            output_formats=["ipynb"],
            parameters={"rate": "3"},
            schedule=every_second,
        )
    )
    query = ListJobsQuery(job_definition_id=definition)
    end = time.monotonic() + SECONDS
    while not (started := jobs.scheduler.list_jobs(query).jobs):
        assert time.monotonic() < end
        jobs.scheduler.task_runner.process_queue()
        time.sleep(0.05)

    assert jobs.wait(started[0].job_id).status.value == "COMPLETED"
    assert services.describe_run(services.Session(), "last").parameters == {"rate": 3}


def test_its_features_are_told_as_the_server_asks_for_them():
    from fairing_az_jupyter.frontends.scheduler import FairingExecutionManager

    told = json.loads(json.dumps(FairingExecutionManager.supported_features(FairingExecutionManager)))

    assert {name for name, there in told.items() if there} == {
        "job_name",
        "parameters",
        "output_formats",
        "stop_job",
        "delete_job",
    }


@pytest.fixture
def server(tmp_path):
    """A Jupyter Server with jupyter-scheduler, set up as docs/scheduling.md says."""
    root = tmp_path / "home"
    root.mkdir()
    write(root / "prices.ipynb", "rate = 0.1", "print(rate * 2)")
    settings = tmp_path / "server"
    settings.mkdir()
    (settings / "jupyter_server_config.py").write_text(f'c.Scheduler.execution_manager_class = "{EXECUTION_MANAGER}"\n')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(settings),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "FAIRING_AZURE_RUNS": str(tmp_path / "runs"),
    }
    (tmp_path / "data").mkdir()
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", f"--port={port}"]
    command += [f"--ServerApp.root_dir={root}", "--IdentityProvider.token=mine", "--ServerApp.port_retries=0"]
    command += ["--ServerApp.jpserver_extensions={'jupyter_scheduler': True}"]
    log = tmp_path / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
    try:
        yield Rest(port, process, log)
    finally:
        started = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=20)
        for child in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()


class Rest:
    """A Jupyter Server's REST API."""

    def __init__(self, port, process, log):
        self._url, self._log = f"http://127.0.0.1:{port}/scheduler", log
        end = time.monotonic() + SECONDS
        while not self._answers():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)

    def _answers(self):
        try:
            self.call("GET", "/jobs")
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": "token mine", "Content-Type": "application/json"}
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def ended(self, job):
        end = time.monotonic() + SECONDS
        while True:
            found = self.call("GET", f"/jobs/{job}")
            if found["status"] in ENDED and found["start_time"]:
                return found
            assert time.monotonic() < end, self._log.read_text()
            time.sleep(0.1)


def test_in_a_server_that_is_set_up_as_documented_jobs_and_definitions_run_here(server, tmp_path):
    job = {"runtime_environment_name": "this", "name": "nightly", "input_uri": "prices.ipynb"}
    asked = {**job, "output_formats": ["ipynb"], "parameters": {"rate": "4"}}

    now = server.call("POST", "/jobs", asked)["job_id"]
    definition = server.call("POST", "/job_definitions", {**asked, "schedule": "0 3 * * *", "timezone": "UTC"})
    server.call("POST", f"/job_definitions/{definition['job_definition_id']}/jobs", {"parameters": {"rate": "5"}})
    later = next(each["job_id"] for each in server.call("GET", "/jobs")["jobs"] if each["job_id"] != now)

    assert [server.ended(each)["status"] for each in (now, later)] == ["COMPLETED", "COMPLETED"]
    runs = services.list_runs(services.Session(runs_folder=str(tmp_path / "runs")))
    assert sorted((run.state, run.parameters["rate"]) for run in runs) == [("succeeded", 4), ("succeeded", 5)]
    assert server.call("GET", "/config")["supported_features"]["parameters"] is True
    (tmp_path / "home" / "broken.ipynb").write_text("{]")
    with pytest.raises(urllib.error.HTTPError) as refused:
        server.call("POST", "/jobs", {**asked, "input_uri": "broken.ipynb"})
    assert "broken.ipynb' is not" in refused.value.read().decode()


def test_without_jupyter_scheduler_the_import_says_what_to_install(run_python):
    script = """
import sys
sys.modules["jupyter_scheduler"] = None
import fairing_az_jupyter.frontends.cli
try:
    import fairing_az_jupyter.frontends.scheduler
except ImportError as error:
    print(type(error).__name__, error)
"""
    said = run_python(script).stdout

    assert said.startswith("PackageMissingError The Python package 'jupyter_scheduler")
    assert "pip install jupyter-scheduler" in said


def test_the_command_line_never_loads_jupyter_scheduler(run_python):
    script = """
import sys
from fairing_az_jupyter.frontends import cli
cli.main(["runs", "list"])
print([name for name in sys.modules if name.startswith(("jupyter_scheduler", "sqlalchemy"))])
"""
    assert run_python(script, FAIRING_AZURE_RUNS=str(Path.cwd() / "none")).stdout.splitlines()[-1] == "[]"
