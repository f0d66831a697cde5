"""Training jobs on this machine, by Fairing's own calls."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cloudpickle
import nbformat
import pytest
from kubeflow.fairing import TrainJob
from kubeflow.fairing.backends import LocalBackend

from fairing_az_jupyter.exceptions import ContextError, InputError, JobFailedError
from tests.fairing.local_tasks import Doubler, gone, hello, submit

cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.kernel
def test_a_function_is_trained(capfd):
    job = submit(hello)

    assert job.startswith("fairing-job-")
    assert job.output == "hello from a function"
    assert "hello from a function\n" in capfd.readouterr().out


@pytest.mark.kernel
def test_a_class_is_trained():
    assert submit(Doubler).output == "training app"


@pytest.mark.kernel
def test_a_python_file_is_run(in_folder):
    (in_folder / "code").mkdir()
    (in_folder / "code" / "train.py").write_text("print('a file,', open('data.csv').read())")
    (in_folder / "data.csv").write_text("with data")

    assert submit("code/train.py", ["data.csv"]).output == "a file, with data"


@pytest.mark.kernel
def test_a_python_file_is_run_by_its_absolute_path(in_folder):
    (in_folder / "train.py").write_text("print('absolute')")

    assert submit(str(in_folder / "train.py")).output == "absolute"


@pytest.mark.kernel
def test_a_notebook_is_run(in_folder):
    cells = [nbformat.v4.new_code_cell("print('in a cell', 6 * 7)")]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), "train.ipynb")

    assert "in a cell 42" in submit("train.ipynb").output


@pytest.mark.kernel
def test_a_folder_of_inputs_is_there_with_all_that_it_holds(in_folder):
    (in_folder / "package" / "inner").mkdir(parents=True)
    (in_folder / "package" / "inner" / "x.txt").write_text("deep")

    def read():
        with open("package/inner/x.txt") as file:
            print(file.read())

    assert submit(read, ["package"]).output == "deep"


def test_output_comes_line_by_line_while_the_job_runs(in_folder):
    script = """
    import os, sys
    from kubeflow.fairing import TrainJob
    from kubeflow.fairing.backends import LocalBackend
    def slow():
        import time
        for number in range(4):
            print("line", number)
            time.sleep(0.7)
    TrainJob(slow, input_files=[], backend=LocalBackend()).submit()
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with child:
        times = [time.monotonic() for line in child.stdout if line.startswith("line")]

    assert len(times) == 4
    assert times[-1] - times[0] > 1.0


@pytest.mark.kernel
def test_a_failing_job_raises_with_exit_code_last_lines_and_hint():
    def fail():
        print("first")
        raise SystemExit(7)

    with pytest.raises(JobFailedError, match=r"(?s)failed with exit code 7.*\| first") as caught:
        submit(fail)

    assert caught.value.returncode == 7
    assert caught.value.last_lines == ("first",)
    assert "output.log" in caught.value.hint


@pytest.mark.kernel
def test_a_job_that_misses_a_file_is_told_to_name_it_in_input_files():
    def fail():
        open("prices.csv")

    with pytest.raises(JobFailedError) as caught:
        submit(fail)

    assert "input_files" in caught.value.hint
    assert "prices.csv" in caught.value.hint


@pytest.mark.kernel
def test_a_job_that_misses_a_package_is_told_so():
    def fail():
        import a_package_that_nobody_has  # noqa: F401

    with pytest.raises(JobFailedError) as caught:
        submit(fail)

    assert "'a_package_that_nobody_has' to requirements.txt" in caught.value.hint


@pytest.mark.kernel
def test_a_killed_job_tells_the_signal():
    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(JobFailedError, match=r"signal SIGKILL \(exit code 137\)") as caught:
        submit(die)

    assert "memory" in caught.value.hint


@pytest.mark.kernel
def test_an_input_file_outside_the_folder_is_refused(tmp_path_factory):
    outside = tmp_path_factory.mktemp("elsewhere") / "secret.csv"
    outside.write_text("x")

    with pytest.raises(ContextError, match="is not in the working directory") as caught:
        submit(hello, [str(outside)])
    assert "output_map" in caught.value.hint

    with pytest.raises(ContextError):
        submit(hello, [os.path.relpath(outside)])


@pytest.mark.kernel
def test_output_map_puts_a_file_where_it_says(tmp_path_factory):
    outside = tmp_path_factory.mktemp("elsewhere") / "data.csv"
    outside.write_text("mapped")

    def read():
        print(open("inside.csv").read())

    job = TrainJob(read, input_files=[], output_map={str(outside): "/app/inside.csv"}, backend=LocalBackend())
    assert job.submit().output == "mapped"


@pytest.mark.kernel
def test_a_second_submit_of_the_same_job_works():
    job = TrainJob(Doubler, input_files=[], backend=LocalBackend())

    assert job.submit() != job.submit()


def test_what_a_job_leaves_running_is_ended_with_it(in_folder):
    def start():
        import subprocess
        import sys

        print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid)

    job = submit(start)

    assert gone(int(job.output))


@pytest.mark.kernel
def test_environment_of_a_mutator_reaches_the_job():
    from kubernetes import client

    def add_variable(_manager, pod_spec, _namespace):
        pod_spec.containers[0].env.append(client.V1EnvVar(name="MINE", value="yes"))

    def show():
        print(os.environ["MINE"], os.environ["FAIRING_RUNTIME"])

    mutators = [add_variable]
    job = TrainJob(show, input_files=[], backend=LocalBackend(), pod_spec_mutators=mutators).submit()

    assert job.output == "yes 1"
    assert mutators == [add_variable]


@pytest.mark.kernel
def test_a_mutator_that_asks_the_cluster_is_passed_over_with_a_warning(caplog):
    def needs_cluster(manager, _pod_spec, namespace):
        manager.secret_exists("acrcreds", namespace)

    TrainJob(hello, input_files=[], backend=LocalBackend(), pod_spec_mutators=[needs_cluster]).submit()

    assert "'needs_cluster' needs a cluster" in caplog.text


@pytest.mark.kernel
def test_upstreams_resource_mutator_is_harmless():
    from kubeflow.fairing.kubernetes.utils import get_resource_mutator

    mutators = [get_resource_mutator(cpu=2, memory=4)]
    job = TrainJob(hello, input_files=[], backend=LocalBackend(), pod_spec_mutators=mutators)

    assert job.submit().output == "hello from a function"


@pytest.mark.kernel
def test_old_job_folders_are_removed(own_folders):
    (own_folders / "fairing-home" / "local").mkdir(parents=True)
    for number in range(30):
        folder = own_folders / "fairing-home" / "local" / f"fairing-job-{number}"
        folder.mkdir()
        (folder / "pid").write_text("999999999")

    submit(hello)

    assert len(list((own_folders / "fairing-home" / "local").iterdir())) == 21


@pytest.mark.kernel
def test_the_archive_of_the_same_files_has_the_same_digest(in_folder):
    def tag():
        job = TrainJob("train.py", input_files=[], backend=LocalBackend())
        job.submit()
        return job.builder.image_tag

    (in_folder / "train.py").write_text("print(1)")
    first = tag()
    os.utime(in_folder / "train.py", (1, 1))

    assert tag() == first


@pytest.mark.kernel
def test_jobs_at_the_same_time_do_not_disturb_each_other():
    def job(number):
        def show():
            print("number", number)

        return submit(show).output

    with ThreadPoolExecutor(8) as pool:
        outputs = list(pool.map(job, range(16)))

    assert outputs == [f"number {number}" for number in range(16)]


@pytest.mark.kernel
def test_the_same_job_at_the_same_time_does_not_lose_its_archive():
    Path("same.py").write_text("print('the same')")
    with ThreadPoolExecutor(8) as pool:
        outputs = list(pool.map(lambda _: submit("same.py").output, range(16)))

    assert outputs == ["the same"] * 16


@pytest.mark.kernel
def test_the_files_of_earlier_jobs_are_not_packed_with_the_folder_that_holds_them(in_folder, monkeypatch):
    monkeypatch.setenv("FAIRING_AZURE_HOME", str(in_folder / "da[ta"))
    (in_folder / "data.csv").write_text("x" * 1000)

    def show():
        print(sorted(path.name for path in Path().rglob("*.csv")), Path("da[ta").exists())

    outputs = {submit(show, ["."]).output for _ in range(3)}

    assert outputs == {"['data.csv'] False"}


@pytest.mark.kernel
def test_what_was_kept_for_a_task_goes_with_it(own_folders):
    job = TrainJob(hello, input_files=[], backend=LocalBackend())
    job.submit()
    sources = [Path(source) for source in job.builder.preprocessor.output_map]
    payload = [source for source in sources if source.parent == Path(tempfile.gettempdir())]
    archives = own_folders / "fairing-home" / "contexts"
    assert len(payload) == 2
    assert len(list(archives.iterdir())) == 1

    del job
    end = time.monotonic() + 10
    # What writes the record may hold it for a moment longer.
    while any(path.exists() for path in payload) and time.monotonic() < end:
        gc.collect()
        time.sleep(0.05)

    assert not any(path.exists() for path in payload)
    assert list(archives.iterdir()) == []


def test_a_folder_for_data_that_can_not_be_made_is_a_clear_error(in_folder, monkeypatch):
    (in_folder / "file").write_text("")
    monkeypatch.setenv("FAIRING_AZURE_HOME", str(in_folder / "file"))

    with pytest.raises(InputError, match="can't be created") as caught:
        submit(hello)

    assert "FAIRING_AZURE_HOME" in caught.value.hint


def test_a_daemon_that_a_job_leaves_is_ended_and_does_not_keep_submit_waiting(in_folder):
    def start():
        import subprocess

        process = subprocess.Popen(["sleep", "600"], start_new_session=True)
        print(process.pid)

    begin = time.monotonic()
    job = submit(start)

    assert time.monotonic() - begin < 60
    assert gone(int(job.output))


def test_a_progress_bar_is_shown_as_it_moves():
    script = """
    from kubeflow.fairing import TrainJob
    from kubeflow.fairing.backends import LocalBackend
    def bar():
        import sys, time
        for percent in (0, 50, 100):
            sys.stdout.write(f"\\r{percent}%")
            sys.stdout.flush()
            time.sleep(0.7)
    print(TrainJob(bar, input_files=[], backend=LocalBackend()).submit().lines)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    times, shown = [], b""
    with child:
        while data := os.read(child.stdout.fileno(), 1000):
            times.append(time.monotonic())
            shown += data

    assert shown.endswith(b"('100%',)\n")
    assert times[-1] - times[0] > 1.0


@pytest.mark.kernel
def test_a_notebook_that_names_no_kernel_is_run(in_folder):
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print('no kernel named')")]), "my ö.ipynb"
    )

    assert "no kernel named" in submit("my ö.ipynb").output


@pytest.mark.kernel
def test_lines_of_a_launched_job_are_json_safe():
    assert json.dumps(submit(hello)).startswith('"fairing-job-')
