"""What the endpoint's server answers, over HTTP and from a child process."""

from __future__ import annotations

import json
import struct
import threading
import time

import numpy as np
import pytest
import requests

from tests.fairing.serving_child import (
    app_folder,
    ask,
    infer,
    log_of,
    predict_nparray,
    running,
    tensor,
    v2_input,
)

NAN = float("nan")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return app_folder(tmp_path_factory.mktemp("app"))


@pytest.fixture(scope="module")
def server(folder):
    with running(folder) as (child, url):
        yield child, url


@pytest.fixture
def url(server, folder):
    child, url = server
    yield url
    assert child.poll() is None, log_of(folder)
    assert requests.get(f"{url}/v2/health/ready", timeout=5).json() == {"ready": True}


@pytest.mark.parametrize("path", ["/predict", "/api/v1.0/predictions", "/api/v0.1/predictions"])
def test_fairings_predict_nparray_gets_its_prediction(url, path):
    answer = predict_nparray(url + path, np.array([[1.5, 2.0], [3.0, 4.0]]))
    assert answer == {"data": {"names": ["price"], "tensor": {"shape": [2], "values": [3.5, 7.0]}}, "meta": {}}


def test_a_float32_comes_back_as_exactly_that_number(url):
    data = np.array([[0.1, 1 / 3, 1e-42, 3.4e38]], dtype=np.float32)
    answer = predict_nparray(f"{url}/predict", data, ["float32", "b", "c", "d"])
    assert answer["data"]["tensor"] == {"shape": [1, 4], "values": [float(value) for value in data[0]]}


def test_whole_numbers_stay_whole_numbers(url):
    values = ask(url, tensor([2**62, -1], [2, 1], ["echo"]))["data"]["tensor"]["values"]
    assert values == [2**62, -1]
    assert all(type(value) is int for value in values)


@pytest.mark.parametrize(
    ("wish", "data"),
    [
        ("list", {"tensor": {"shape": [2], "values": [1, 2]}}),
        ("scalar", {"tensor": {"shape": [1], "values": [4.5]}}),
        ("nan", {"tensor": {"shape": [3], "values": [None, None, 1.0]}}),
        ("text", {"ndarray": [["a", "b"], ["c", "d"]]}),
        ("dtype", {"ndarray": ["float64", [1, 1]]}),
        ("names", {"ndarray": [["names"]]}),
    ],
)
def test_what_predict_returns_is_sent_in_seldons_form(url, wish, data):
    assert ask(url, tensor([0.5], [1, 1], [wish]))["data"] == {"names": ["price"], **data}


def test_an_ndarray_is_answered_with_an_ndarray(url):
    assert ask(url, {"data": {"ndarray": [[1, 2], [3, 4.5]]}})["data"] == {"names": ["price"], "ndarray": [3.0, 7.5]}


def test_nan_in_a_request_is_a_missing_value(url):
    for missing in (NAN, None):
        assert ask(url, tensor([1.5, missing], [2, 1], ["echo"]))["data"]["tensor"]["values"] == [1.5, None]


def test_json_and_multipart_bodies_are_understood_as_well(url):
    message = json.dumps(tensor([1, 2], [1, 2]))
    for options in (
        {"data": message, "headers": {"content-type": "application/json; charset=utf-8"}},
        {"data": message},
        {"data": message, "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"data": "\ufeff".encode() + message.encode(), "headers": {"content-type": "application/json"}},
        {"files": {"json": (None, message)}},
        {"files": {"json": ("request.json", message, "application/json")}},
    ):
        answer = requests.post(f"{url}/predict", **options, timeout=30)
        assert answer.json()["data"]["tensor"]["values"] == [3], options


def test_the_class_is_loaded_and_called_on_one_thread(url):
    assert ask(url, tensor([1], [1, 1], ["threads"]))["data"]["tensor"]["values"] == [1, True]


def test_v2_answers_by_the_open_inference_protocol(url):
    answer = infer(url, {"id": "42", "inputs": [v2_input([0.1, 2.0, 3.0, 4.0], [2, 2], "FP32")]}).json()
    (output,) = answer["outputs"]
    assert (answer["model_name"], answer["id"]) == ("Model", "42")
    assert (output["shape"], output["datatype"]) == ([2], "FP32")
    assert output["data"] == [float(np.float32(0.1) + np.float32(2)), 7.0]


def test_v2_takes_nested_data_and_named_columns(url):
    nested = infer(url, {"inputs": [v2_input([[1, 2], [3, 4]], [2, 2], "INT64")]}).json()["outputs"][0]
    assert (nested["datatype"], nested["data"]) == ("INT64", [3, 7])
    columns = [v2_input([1, 2], [2], "INT32", "names"), v2_input([[0.5], [1.5]], [2, 1], "FP64", "b")]
    named = infer(url, {"inputs": columns, "outputs": [{"name": "output-0"}]}).json()["outputs"][0]
    assert (named["datatype"], named["shape"], named["data"]) == ("BYTES", [1, 2], ["names", "b"])


def test_v2_takes_and_sends_binary_tensors(url):
    head = json.dumps(
        {
            "inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "parameters": {"binary_data_size": 16}}],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    headers = {"inference-header-content-length": str(len(head)), "content-type": "application/octet-stream"}
    answer = infer(url, None, data=head + struct.pack("<2d", 1.25, 2.5), headers=headers)
    length = int(answer.headers["inference-header-content-length"])
    assert json.loads(answer.content[:length])["outputs"][0]["parameters"] == {"binary_data_size": 8}
    assert struct.unpack("<d", answer.content[length:]) == (3.75,)


def test_v2_tells_of_the_server_and_its_one_model(url):
    def get(path):
        return requests.get(url + path, timeout=5).json()

    assert get("/v2")["name"] == "kserve"
    assert get("/v2/health/live") == {"live": True}
    assert get("/v2/models") == {"models": ["Model"]}
    assert get("/v2/models/Model/ready") == {"name": "Model", "ready": True}
    assert get("/v2/models/Model")["inputs"] == [{"name": "input-0", "datatype": "FP64", "shape": [-1, -1]}]


def test_v1_answers_with_predictions(url):
    body = json.dumps({"instances": [[1, NAN], [3, 4]]})
    for kind in ("application/json", "application/json; charset=utf-8"):
        answer = requests.post(f"{url}/v1/models/Model:predict", body, headers={"content-type": kind}, timeout=30)
        assert answer.json() == {"predictions": [None, 7.0]}


def test_metrics_count_predictions_of_every_protocol(url):
    def count():
        lines = requests.get(f"{url}/metrics", timeout=5).text.splitlines()
        return [
            float(x.split()[-1]) for x in lines if x.startswith('request_predict_seconds_count{model_name="Model"}')
        ]

    ask(url, tensor([1], [1, 1]))
    (before,) = count()
    ask(url, tensor([1], [1, 1]))
    assert infer(url, {"inputs": [v2_input([1], [1, 1])]}).ok
    assert requests.post(f"{url}/v1/models/Model:predict", json={"instances": [[1]]}, timeout=5).ok
    assert count() == [before + 3]


def test_health_and_metrics_are_answered_while_predict_is_slow(url):
    slow = threading.Thread(target=ask, args=(url, tensor([3.0], [1, 1], ["sleep"])))
    slow.start()
    try:
        time.sleep(0.3)
        begun = time.monotonic()
        for path in ("/v2/health/ready", "/v2/health/live", "/v2/models/Model/ready", "/metrics"):
            assert requests.get(url + path, timeout=2).ok
        assert time.monotonic() - begun < 2
        assert slow.is_alive()
    finally:
        slow.join(30)
