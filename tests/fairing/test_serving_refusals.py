"""What the endpoint's server refuses, and that it outlives all of it."""

from __future__ import annotations

import json
import socket
import time

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fairing.serving_child import (
    app_folder,
    ask,
    infer,
    log_of,
    running,
    tensor,
    v2_input,
)


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


LONG = "1" + "0" * 400
JSON = {"content-type": "application/json"}
BAD_BODIES = {
    "no body": (b"", JSON, 400, "no-body"),
    "blanks": (b" \n", JSON, 400, "no-body"),
    "cut off": (b'{"data": {', JSON, 400, "not-json"),
    "rubbish": (bytes(range(256)), JSON, 400, "not-json"),
    "nested lists": (b"[" * 200_000, JSON, 400, "not-json"),
    "nested objects": (b'{"data":' * 200_000, JSON, 400, "not-json"),
    "a number with too many digits": (b'{"data":{"ndarray":[' + b"1" * 10_000 + b"]}}", JSON, 400, "not-json"),
    "a picture": (b"\x89PNG", {"content-type": "image/png"}, 415, "content-type"),
    "plain text": (b"{}", {"content-type": "text/plain"}, 415, "content-type"),
    "a form without json": (b"a=1", {"content-type": "application/x-www-form-urlencoded"}, 400, "no-data"),
    "a form with two": (b"json={}&json={}", {"content-type": "application/x-www-form-urlencoded"}, 400, "no-data"),
    "a form in Latin-1": (b"json=%E4", {"content-type": "application/x-www-form-urlencoded"}, 400, "not-json"),
    "multipart rubbish": (b"\x00--x\r\n", {"content-type": "multipart/form-data; boundary=x"}, 400, "no-data"),
    "multipart without boundary": (b"--x", {"content-type": "multipart/form-data"}, 400, "no-data"),
    "multipart in multipart": (
        (
            b'--x\r\nContent-Disposition: form-data; name="json"\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n'
            b"--y\r\n\r\n{}\r\n--y--\r\n--x--\r\n"
        ),
        {"content-type": "multipart/form-data; boundary=x"},
        400,
        "no-data",
    ),
}
BAD_MESSAGES = {
    "a list": ([], "no-data"),
    "text": ("data", "no-data"),
    "null": (None, "no-data"),
    "no data": ({}, "no-data"),
    "data is a list": ({"data": [1]}, "no-data"),
    "no kind of data": ({"data": {}}, "unknown-data"),
    "an unknown kind": ({"data": {"tftensor": {}}}, "unknown-data"),
    "two kinds": ({"data": {"ndarray": [1], "tensor": {"shape": [1], "values": [1]}}}, "unknown-data"),
    "binData": ({"binData": "AA=="}, "no-data"),
    "a tensor of nothing": ({"data": {"tensor": None}}, "unknown-data"),
    "no values": ({"data": {"tensor": {"shape": [1]}}}, "unknown-data"),
    "no shape": ({"data": {"tensor": {"values": [1]}}}, "shape"),
    "too few values": (tensor([1], [2, 2]), "shape"),
    "too many values": (tensor([1, 2, 3], [2]), "shape"),
    "a negative shape": (tensor([1], [-1, -1]), "shape"),
    "a fractional shape": (tensor([1], [1.0]), "shape"),
    "a shape of text": (tensor([1], ["1"]), "shape"),
    "a shape of truth": (tensor([1], [True]), "shape"),
    "a huge shape": (tensor([1], [10**9, 10**9]), "shape"),
    "a huge empty shape": (tensor([], [0, 10**30]), "shape"),
    "too many dimensions": (tensor([1], [1] * 70), "shape"),
    "a ragged ndarray": ({"data": {"ndarray": [[1, 2], [3]]}}, "shape"),
    "an uneven ndarray": ({"data": {"ndarray": [1, [2]]}}, "shape"),
    "a deep ndarray": ({"data": {"ndarray": json.loads("[" * 100 + "]" * 100)}}, "shape"),
    "an ndarray of nothing": ({"data": {"ndarray": 1}}, "unknown-data"),
    "text for numbers": (tensor(["1.5"], [1]), "datatype"),
    "objects for numbers": ({"data": {"ndarray": [[{}]]}}, "datatype"),
    "a number beyond floats": ({"data": {"ndarray": [int(LONG)]}}, "datatype"),
    "too few names": (tensor([1, 2], [1, 2], ["a"]), "names"),
    "too many names": (tensor([1, 2], [1, 2], ["a", "b", "c"]), "names"),
    "names that are none": (tensor([1], [1, 1], "a"), "names"),
    "names of no text": (tensor([1], [1, 1], [None]), "names"),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_body_that_is_no_message_is_the_clients_fault(url, case):
    body, headers, status, code = BAD_BODIES[case]
    answer = requests.post(f"{url}/predict", data=body, headers=headers, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert set(answer.json()) == {"code", "message", "hint"}
    assert answer.json()["hint"]


@pytest.mark.parametrize("case", BAD_MESSAGES)
def test_a_message_that_breaks_the_form_is_refused_with_what_was_expected(url, case):
    message, code = BAD_MESSAGES[case]
    answer = requests.post(f"{url}/predict", data=json.dumps(message), headers=JSON, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text
    assert answer.json()["message"]
    assert answer.json()["hint"]


BAD_INFERS = {
    "no inputs": ({}, 400),
    "empty inputs": ({"inputs": []}, 400),
    "inputs of nothing": ({"inputs": None}, 400),
    "a list": ([], 400),
    "no data": ({"inputs": [{"name": "x", "shape": [1], "datatype": "FP64"}]}, 400),
    "data of nothing": ({"inputs": [v2_input(None, [1])]}, 400),
    "too few values": ({"inputs": [v2_input([1], [2, 2])]}, 400),
    "another nesting": ({"inputs": [v2_input([[1, 2, 3, 4]], [2, 2])]}, 400),
    "ragged data": ({"inputs": [v2_input([[1], [2, 3]], [3])]}, 400),
    "a negative shape": ({"inputs": [v2_input([1], [-1])]}, 400),
    "a huge shape": ({"inputs": [v2_input([1], [2**40, 2**40])]}, 400),
    "an unknown datatype": ({"inputs": [v2_input([1], [1], "FP128")]}, 400),
    "fractions as INT64": ({"inputs": [v2_input([1.5], [1], "INT64")]}, 400),
    "out of range": ({"inputs": [v2_input([300], [1], "UINT8")]}, 400),
    "beyond FP32": ({"inputs": [v2_input([1e300], [1], "FP32")]}, 400),
    "text as FP32": ({"inputs": [v2_input(["1"], [1], "FP32")]}, 400),
    "numbers as BOOL": ({"inputs": [v2_input([1], [1], "BOOL")]}, 400),
    "FP16 in JSON": ({"inputs": [v2_input([1.0], [1], "FP16")]}, 400),
    "an unknown output": ({"inputs": [v2_input([1], [1, 1])], "outputs": [{"name": "y"}]}, 400),
    "inputs of one name": ({"inputs": [v2_input([1], [1]), v2_input([1], [1])]}, 400),
    "columns of unequal length": ({"inputs": [v2_input([1], [1]), v2_input([1, 2], [2], name="y")]}, 400),
    "scalars as columns": ({"inputs": [v2_input([1], []), v2_input([1], [], name="y")]}, 400),
}


@pytest.mark.parametrize("case", BAD_INFERS)
def test_a_bad_inference_request_is_the_clients_fault(url, case):
    message, status = BAD_INFERS[case]
    answer = infer(url, message)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]
    assert answer.json()["hint"]


@pytest.mark.parametrize("path", ["/v1/models/Model:predict", "/v2/models/Model/infer"])
@pytest.mark.parametrize("case", [case for case, row in BAD_BODIES.items() if row[1] is JSON])
def test_kserves_own_paths_answer_no_500_to_rubbish(url, path, case):
    answer = requests.post(url + path, data=BAD_BODIES[case][0], headers=JSON, timeout=30)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]


def test_a_binary_request_with_a_wrong_length_is_the_clients_fault(url):
    for length in ("", "x", "-1", "99999", "3"):
        headers = {"inference-header-content-length": length, "content-type": "application/octet-stream"}
        assert infer(url, None, data=b'{"inputs": 1}', headers=headers).status_code == 400
    assert infer(url, None, data=b"{}", headers={"content-type": "application/octet-stream"}).status_code == 415


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/predict", 405),
        ("PUT", "/predict", 405),
        ("DELETE", "/v2/models/Model/infer", 405),
        ("GET", "/v2/models/Model/infer", 405),
        ("GET", "/v1/models/Model:predict", 405),
        ("POST", "/metrics", 405),
        ("POST", "/v2/models/Other/infer", 404),
        ("GET", "/v2/models/Other/ready", 404),
        ("POST", "/v1/models/Other:predict", 404),
        ("GET", "/v2/models/Model/versions/1", 404),
        ("GET", "/nothing", 404),
        ("GET", "/%00%0a%ff", 404),
        ("POST", "/v2/repository/models/Model/unload", 404),
        ("POST", "/v2/repository/models/Model/load", 404),
        ("POST", "/v1/models/Model:explain", 404),
    ],
)
def test_a_wrong_path_or_method_is_told(url, method, path, status):
    body = {"inputs": [v2_input([1], [1, 1])], "instances": [[1]]}
    answer = requests.request(method, url + path, json=body, timeout=5)
    assert answer.status_code == status, answer.text
    assert answer.json()["message"]
    assert answer.json()["hint"]


def test_a_body_beyond_the_limit_is_refused(url):
    megabyte = b" " * 2**20
    answer = requests.post(f"{url}/predict", data=(megabyte for _ in range(101)), headers=JSON, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


def test_the_models_value_error_is_a_400_in_its_own_words(url):
    answer = requests.post(f"{url}/predict", json=tensor([1], [1, 1], ["refuse"]), timeout=5)
    assert answer.status_code == 400
    assert "Feature shape mismatch, expected: 5, got 1" in answer.json()["message"]


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ("bug", "KeyError: 'no such thing'"),
        ("exit", "SystemExit: 3"),
        ("stop", "StopIteration"),
        ("none", "returned nothing"),
        ("object", "a object can't be sent as JSON"),
    ],
)
def test_whatever_predict_does_is_a_500_in_one_line(url, wish, told):
    answer = requests.post(f"{url}/predict", json=tensor([1], [1, 1], [wish]), timeout=5)
    assert answer.status_code == 500
    assert told in answer.json()["message"]
    assert "\n" not in answer.json()["message"]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("shape", [[0], [0, 3], [2, 0]])
def test_an_empty_batch_reaches_the_model(url, shape):
    answer = ask(url, tensor([], shape))
    assert answer["data"]["tensor"]["values"] == [0.0] * (shape[0] if len(shape) > 1 else 1)


def test_bytes_that_are_no_http_leave_the_server_as_it_was(url):
    port = int(url.rpartition(":")[2])
    for rubbish in (
        b"\x16\x03\x01\x02\x00\x01",
        b"GET\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: 9\r\n\r\nx",
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(rubbish)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["shape", "values", "a"]), inner),
    max_leaves=8,
)
part = st.sampled_from(["names", "tensor", "ndarray"])
seldon_messages = json_values | st.fixed_dictionaries(
    {"data": json_values | st.dictionaries(part, json_values)}, optional={"meta": json_values}
)
v2_parts = {
    "name": st.text(),
    "shape": json_values,
    "datatype": st.sampled_from(["FP32", "BYTES", "?"]),
    "data": json_values,
}
v2_messages = st.fixed_dictionaries(
    {"inputs": json_values | st.lists(st.fixed_dictionaries(v2_parts), max_size=3)},
    optional={"outputs": json_values, "parameters": json_values, "id": json_values},
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(seldon=seldon_messages, v2=v2_messages, raw=st.binary())
def test_no_message_whatever_makes_the_server_fail(server, seldon, v2, raw):
    url = server[1]
    with requests.Session() as session:
        for path, body in (
            ("/predict", json.dumps(seldon).encode()),
            ("/v2/models/Model/infer", json.dumps(v2).encode()),
            ("/v1/models/Model:predict", json.dumps({"instances": seldon}).encode()),
            ("/predict", raw),
            ("/v2/models/Model/infer", raw),
        ):
            answer = session.post(url + path, data=body, headers=JSON, timeout=30)
            assert answer.status_code < 500 or answer.json()["code"] == "predict-failed", answer.text


def test_the_log_has_one_line_for_a_request_and_nothing_of_its_body(url, folder):
    requests.post(f"{url}/predict?sig=s3cret", json={"data": "hush-hush"}, timeout=5)
    requests.get(f"{url}/v2/health/live", timeout=5)
    time.sleep(0.2)
    lines = [line for line in log_of(folder).splitlines() if "POST /predict 400" in line]
    assert lines
    assert "s3cret" not in log_of(folder)
    assert "hush-hush" not in log_of(folder)
    assert "GET /v2/health/live" not in log_of(folder)
