"""Asking an endpoint by its URL: however it is written, and whatever answers there."""

from __future__ import annotations

import json
import math

import pytest

from fairing_az_jupyter.exceptions import EndpointError, InputError
from fairing_az_jupyter.fairing.inventory.endpoint_calls import predict_at
from fairing_az_jupyter.fairing.inventory.prediction_data import Samples
from fairing_az_jupyter.fairing.upstream import prediction_endpoint
from fairing_az_jupyter.frontends.cli import main
from tests.stand.scripted import Scripted
from tests.stand.web import HANG, Answer

ROWS = Samples([[1.0, 2.0]])


def served(status=200, content=b'{"data": {"ndarray": [3.0]}}'):
    """Serve one answer on loopback."""
    return Scripted(lambda _request: Answer(status, content))


@pytest.mark.stand
@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("http://{}", "/predict"),
        ("http://{}/", "/predict"),
        ("HTTP://{}", "/predict"),
        ("http://{}/predict", "/predict"),
        ("http://{}/v1/models/a:predict", "/v1/models/a:predict"),
        ("http://{}?version=2", "/predict?version=2"),
    ],
)
def test_a_url_is_asked_with_its_path_or_with_the_usual_one(written, path):
    with served() as server:
        assert predict_at(written.format(server.host), ROWS).values == [3.0]

    assert [request.target for request in server.requests] == [path]


@pytest.mark.parametrize("url", ["http://", "https:///predict", "http://host:port/", "http://[::1", "http://a:99999"])
def test_a_url_without_a_host_is_an_input_error(url):
    with pytest.raises(InputError) as caught:
        predict_at(url, ROWS)

    assert caught.value.hint


@pytest.mark.stand
@pytest.mark.parametrize(
    ("status", "content", "told"),
    [
        (400, b'{"message": "five columns are expected"}', "answered 400: five columns are expected"),
        (422, b'{"error": "five columns are expected"}', "answered 422: five columns are expected"),
        (502, b"<html>Bad gateway</html>", "answered 502: <html>Bad gateway</html>"),
        (200, b"<html>Sign in</html>", "answered 200: <html>Sign in</html>"),
        (200, b"[1, 2]", "answered 200: \\[1, 2\\]"),
        (503, b"", "answered 503"),
    ],
)
def test_what_an_endpoint_says_is_what_the_user_reads(status, content, told):
    with served(status, content) as server, pytest.raises(EndpointError, match=told):
        predict_at(f"http://{server.host}", ROWS)


@pytest.mark.stand
def test_an_endpoint_that_takes_too_long_is_not_called_gone(monkeypatch):
    monkeypatch.setattr(prediction_endpoint, "TIMEOUT_SECONDS", (5.0, 0.3))

    with Scripted(lambda _request: HANG) as server, pytest.raises(EndpointError) as caught:
        predict_at(f"http://{server.host}", ROWS)

    assert caught.value.code == "prediction-timeout"
    assert "has not answered within 0.3 s" in caught.value.message
    assert "deleted" not in str(caught.value)


@pytest.mark.stand
def test_a_prediction_that_is_no_number_leaves_json_that_any_program_reads(capsys, own_folders):
    with served(content=b'{"data": {"ndarray": [NaN, [1.5, Infinity]]}}') as server:
        assert main(["predict", f"http://{server.host}", "[[1, 2]]", "--json"]) == 0
        out = capsys.readouterr().out

    def refuse(name):
        raise AssertionError(name)

    assert json.loads(out, parse_constant=refuse)["values"] == [None, [1.5, None]]
    with served(content=b'{"data": {"ndarray": [NaN]}}') as server:
        assert math.isnan(predict_at(f"http://{server.host}", ROWS).values[0])


def test_a_class_that_predicts_and_does_not_train_can_be_deployed_and_no_other_thing_is_taken():
    from kubeflow.fairing.functions.function_shim import ObjectType, get_execution_obj_type

    class Predicts:
        def predict(self, X):
            return X

    class Neither:
        pass

    kind_of = prediction_endpoint.taking_predictors(get_execution_obj_type)
    kinds = []
    prediction_endpoint.making_endpoint(lambda found: kinds.append(kind_of(found)))(Predicts)
    for other in (Neither, Predicts(), "x.py", None, lambda: 1):
        prediction_endpoint.making_endpoint(lambda found: kinds.append(kind_of(found)))(other)

    assert kinds == [ObjectType.CLASS, *[ObjectType.NOT_SUPPORTED] * 4, ObjectType.FUNCTION]
    # A job is not trained by a class that can only predict.
    assert kind_of(Predicts) is ObjectType.NOT_SUPPORTED
