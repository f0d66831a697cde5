"""Jobs and endpoints on this machine, by Fairing's own calls."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import cloudpickle
import nbformat
import numpy as np
import psutil
import pytest
import requests
from kubeflow.fairing import PredictionEndpoint, TrainJob
from kubeflow.fairing.backends import LocalBackend

from fairing_az_jupyter.exceptions import ContextError, EndpointError, JobFailedError

cloudpickle.register_pickle_by_value(sys.modules[__name__])


class Doubler:
    def train(self):
        print("training", Path.cwd().name)

    def predict(self, X, feature_names=None):
        return np.asarray(X).sum(axis=1) * 2


class Prefix:
    def train(self):
        pass

    def predict(self, X, feature_names=None):
        return [sys.prefix]


class NeverReady:
    def train(self):
        pass

    def load(self):
        time.sleep(60)

    def predict(self, X, feature_names=None):
        return X


class Broken:
    def __init__(self):
        msg = "the model file is damaged"
        raise RuntimeError(msg)

    def train(self):
        pass

    def predict(self, X, feature_names=None):
        return X


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def submit(entry_point, input_files=(), **options):
    return TrainJob(entry_point, input_files=list(input_files), backend=LocalBackend(**options)).submit()


def hello():
    print("hello from a function")


def test_a_function_is_trained(capfd):
    job = submit(hello)

    assert job.startswith("fairing-job-")
    assert job.output == "hello from a function"
    assert "hello from a function\n" in capfd.readouterr().out


def test_a_class_is_trained():
    assert submit(Doubler).output == "training app"


def test_a_python_file_is_run(in_folder):
    (in_folder / "code").mkdir()
    (in_folder / "code" / "train.py").write_text("print('a file,', open('data.csv').read())")
    (in_folder / "data.csv").write_text("with data")

    assert submit("code/train.py", ["data.csv"]).output == "a file, with data"


def test_a_python_file_is_run_by_its_absolute_path(in_folder):
    (in_folder / "train.py").write_text("print('absolute')")

    assert submit(str(in_folder / "train.py")).output == "absolute"


def test_a_notebook_is_run(in_folder):
    cells = [nbformat.v4.new_code_cell("print('in a cell', 6 * 7)")]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), "train.ipynb")

    assert "in a cell 42" in submit("train.ipynb").output


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


def test_a_failing_job_raises_with_exit_code_last_lines_and_hint():
    def fail():
        print("first")
        raise SystemExit(7)

    with pytest.raises(JobFailedError, match=r"(?s)failed with exit code 7.*\| first") as caught:
        submit(fail)

    assert caught.value.returncode == 7
    assert caught.value.last_lines == ("first",)
    assert "output.log" in caught.value.hint


def test_a_job_that_misses_a_file_is_told_to_name_it_in_input_files():
    def fail():
        open("prices.csv")

    with pytest.raises(JobFailedError) as caught:
        submit(fail)

    assert "input_files" in caught.value.hint
    assert "prices.csv" in caught.value.hint


def test_a_job_that_misses_a_package_is_told_so():
    def fail():
        import a_package_that_nobody_has  # noqa: F401

    with pytest.raises(JobFailedError) as caught:
        submit(fail)

    assert "'a_package_that_nobody_has' to requirements.txt" in caught.value.hint


def test_a_killed_job_tells_the_signal():
    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(JobFailedError, match=r"signal SIGKILL \(exit code 137\)") as caught:
        submit(die)

    assert "memory" in caught.value.hint


def test_an_input_file_outside_the_folder_is_refused(tmp_path_factory):
    outside = tmp_path_factory.mktemp("elsewhere") / "secret.csv"
    outside.write_text("x")

    with pytest.raises(ContextError, match="does not lie in the working directory") as caught:
        submit(hello, [str(outside)])
    assert "output_map" in caught.value.hint

    with pytest.raises(ContextError):
        submit(hello, [os.path.relpath(outside)])


def test_output_map_puts_a_file_where_it_says(tmp_path_factory):
    outside = tmp_path_factory.mktemp("elsewhere") / "data.csv"
    outside.write_text("mapped")

    def read():
        print(open("inside.csv").read())

    job = TrainJob(read, input_files=[], output_map={str(outside): "/app/inside.csv"}, backend=LocalBackend())
    assert job.submit().output == "mapped"


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


def test_a_mutator_that_asks_the_cluster_is_passed_over_with_a_warning(caplog):
    def needs_cluster(manager, _pod_spec, namespace):
        manager.secret_exists("acrcreds", namespace)

    TrainJob(hello, input_files=[], backend=LocalBackend(), pod_spec_mutators=[needs_cluster]).submit()

    assert "'needs_cluster' asks a cluster" in caplog.text


def test_upstreams_resource_mutator_is_harmless():
    from kubeflow.fairing.kubernetes.utils import get_resource_mutator

    mutators = [get_resource_mutator(cpu=2, memory=4)]
    job = TrainJob(hello, input_files=[], backend=LocalBackend(), pod_spec_mutators=mutators)

    assert job.submit().output == "hello from a function"


def test_old_job_folders_are_removed(own_folders):
    (own_folders / "fairing-home" / "local").mkdir(parents=True)
    for number in range(30):
        (own_folders / "fairing-home" / "local" / f"fairing-job-{number}").mkdir()

    submit(hello)

    assert len(list((own_folders / "fairing-home" / "local").iterdir())) == 21


def test_an_endpoint_predicts_and_its_deletion_leaves_nothing_running():
    endpoint = PredictionEndpoint(Doubler, input_files=[], backend=LocalBackend())
    endpoint.create()
    try:
        processes = server_processes()
        answer = endpoint.predict_nparray(np.array([[1.0, 2.0], [3.5, 4.0]]), feature_names=["a", "b"])
        pids = {process.pid for process in processes}
        addresses = {c.laddr.ip for c in psutil.net_connections("inet") if c.status == "LISTEN" and c.pid in pids}
        with pytest.raises(EndpointError, match="answered 400"):
            endpoint.predict_nparray(np.array([["x", "y"]]))
        v2 = requests.get(endpoint.url.replace("/predict", "/v2/health/ready"), timeout=10)
    finally:
        endpoint.delete()
        endpoint.delete()

    assert answer["data"]["tensor"] == {"shape": [2], "values": [6.0, 15.0]}
    assert v2.ok
    assert addresses == {"127.0.0.1"}
    assert len(processes) >= 2
    assert all(gone(process.pid) for process in processes)
    with pytest.raises(EndpointError, match="does not answer"):
        endpoint.predict_nparray(np.array([[1.0]]))


def test_an_endpoint_that_can_not_start_raises_with_the_reason_and_leaves_nothing():
    endpoint = PredictionEndpoint(Broken, input_files=[], backend=LocalBackend())

    with pytest.raises(EndpointError, match="the model file is damaged") as caught:
        endpoint.create()

    assert caught.value.returncode == 1
    assert server_processes() == []


def test_an_endpoint_that_is_not_ready_in_time_raises_and_leaves_nothing():
    endpoint = PredictionEndpoint(NeverReady, input_files=[], backend=LocalBackend(ready_timeout=4))

    with pytest.raises(EndpointError, match="not ready within 4 s"):
        endpoint.create()

    assert server_processes() == []


def test_prediction_before_creation_is_a_clear_error():
    with pytest.raises(EndpointError, match=r"Call create\(\) first"):
        PredictionEndpoint(Doubler, input_files=[], backend=LocalBackend()).predict_nparray(np.zeros((1, 1)))


LAUNCH = """
import sys, time
from kubeflow.fairing import PredictionEndpoint, TrainJob
from kubeflow.fairing.backends import LocalBackend
class Model:
    def train(self):
        import time
        print("running", flush=True)
        time.sleep(600)
    def predict(self, X, feature_names=None):
        return X
if sys.argv[1] == "endpoint":
    PredictionEndpoint(Model, input_files=[], backend=LocalBackend()).create()
    print("running", flush=True)
    time.sleep(600)
TrainJob(Model, input_files=[], backend=LocalBackend()).submit()
"""


@pytest.mark.parametrize("what", ["endpoint", "job"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_goes_on_when_the_kernel_ends_however_it_ends(what, number):
    kernel = subprocess.Popen(
        [sys.executable, "-c", LAUNCH, what], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with kernel:
        assert kernel.stdout.readline() == "running\n"
        children = psutil.Process(kernel.pid).children(recursive=True)
        kernel.send_signal(number)
        kernel.wait(30)

    assert len(children) >= 2
    assert all(gone(child.pid) for child in children)


def test_the_archive_of_the_same_files_has_the_same_digest(in_folder, own_folders):
    (in_folder / "train.py").write_text("print(1)")
    submit("train.py")
    os.utime(in_folder / "train.py", (1, 1))
    submit("train.py")

    assert len(list((own_folders / "fairing-home" / "contexts").iterdir())) == 1


def test_an_isolated_environment_has_what_requirements_name_and_is_made_once(in_folder, own_folders):
    (in_folder / "requirements.txt").write_text("iniconfig==2.0.0\n")

    def show():
        from importlib.metadata import version

        import iniconfig  # noqa: F401

        print(version("iniconfig"), sys.prefix)

    first = submit(show, ["requirements.txt"], isolated=True).output.split()
    second = submit(show, ["requirements.txt"], isolated=True).output.split()

    assert first == second
    assert first[0] == "2.0.0"
    assert first[1].startswith(str(own_folders / "fairing-home" / "environments"))


@pytest.mark.timeout(600)
def test_an_endpoint_runs_in_an_isolated_environment(in_folder, own_folders):
    (in_folder / "requirements.txt").write_text("numpy\n")
    endpoint = PredictionEndpoint(Prefix, input_files=["requirements.txt"], backend=LocalBackend(isolated=True))
    endpoint.create()
    try:
        answer = endpoint.predict_nparray(np.zeros((1, 1)))
    finally:
        endpoint.delete()

    assert answer["data"]["ndarray"][0].startswith(str(own_folders / "fairing-home" / "environments"))


def test_requirements_that_can_not_be_installed_leave_nothing(in_folder, own_folders):
    (in_folder / "requirements.txt").write_text("this is no requirement !!\n")

    with pytest.raises(Exception, match=r"requirements can't be installed"):
        submit(hello, ["requirements.txt"], isolated=True)

    folder = own_folders / "fairing-home" / "environments"
    assert [entry.suffix for entry in folder.iterdir()] == [".lock"]


def server_processes():
    mine = psutil.Process().children(recursive=True)
    return [process for process in mine if any("fairing_serving.py" in word for word in process.cmdline())]


def gone(pid, seconds=15):
    """Return whether a process has ended, or ends within some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False


def test_lines_of_a_launched_job_are_json_safe():
    assert json.dumps(submit(hello)).startswith('"fairing-job-')
