"""Endpoints on this machine, and the end of everything with its kernel."""

from __future__ import annotations

import signal
import subprocess
import sys

import cloudpickle
import numpy as np
import psutil
import pytest
import requests
from kubeflow.fairing import PredictionEndpoint
from kubeflow.fairing.backends import LocalBackend

from fairing_az_jupyter.exceptions import EndpointError
from tests.fairing.local_tasks import Broken, Doubler, NeverReady, gone, server_processes

cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


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


@pytest.mark.kernel
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


@pytest.mark.kernel
def test_an_endpoint_that_can_not_start_raises_with_the_reason_and_leaves_nothing():
    endpoint = PredictionEndpoint(Broken, input_files=[], backend=LocalBackend())

    with pytest.raises(EndpointError, match="the model file is damaged") as caught:
        endpoint.create()

    assert caught.value.returncode == 1
    assert server_processes() == []


@pytest.mark.kernel
def test_an_endpoint_that_is_not_ready_in_time_raises_and_leaves_nothing():
    endpoint = PredictionEndpoint(NeverReady, input_files=[], backend=LocalBackend(ready_timeout=4))

    with pytest.raises(EndpointError, match="not ready within 4 s"):
        endpoint.create()

    assert server_processes() == []


def test_prediction_before_creation_is_a_clear_error():
    with pytest.raises(EndpointError, match=r"Call create\(\) first"):
        PredictionEndpoint(Doubler, input_files=[], backend=LocalBackend()).predict_nparray(np.zeros((1, 1)))


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


@pytest.mark.kernel
def test_a_server_ends_when_its_supervisor_is_killed():
    endpoint = PredictionEndpoint(Doubler, input_files=[], backend=LocalBackend())
    endpoint.create()
    processes = server_processes()
    supervisor = next(process for process in processes if "supervisor.py" in " ".join(process.cmdline()))

    supervisor.kill()

    assert all(gone(process.pid) for process in processes)
    endpoint.delete()


@pytest.mark.kernel
def test_a_second_create_replaces_the_endpoint_of_the_first(own_folders):
    endpoint = PredictionEndpoint(Doubler, input_files=[], backend=LocalBackend())
    endpoint.create()
    first = endpoint.url
    endpoint.create()
    try:
        processes = server_processes()
        assert endpoint.url != first
        assert len([process for process in processes if "supervisor.py" in " ".join(process.cmdline())]) == 1
    finally:
        endpoint.delete()

    assert all(gone(process.pid) for process in processes)
    assert list((own_folders / "fairing-home" / "local").iterdir()) == []


@pytest.mark.kernel
def test_a_large_array_is_sent_in_parts(monkeypatch):
    from fairing_az_jupyter.fairing.upstream import prediction_endpoint

    monkeypatch.setattr(prediction_endpoint, "LARGEST_PART", 100)
    data = np.arange(1000.0).reshape(250, 4)
    endpoint = PredictionEndpoint(Doubler, input_files=[], backend=LocalBackend())
    endpoint.create()
    try:
        answer = endpoint.predict_nparray(data)
    finally:
        endpoint.delete()

    assert answer["data"]["tensor"] == {"shape": [250], "values": (data.sum(axis=1) * 2).tolist()}
