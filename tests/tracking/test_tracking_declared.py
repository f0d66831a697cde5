"""The settings of a tracking server, what is told it, and that nothing of MLflow is needed without one."""

from __future__ import annotations

import importlib.util
import json

import pytest

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import InputError, PackageMissingError
from fairing_az_jupyter.models import InputFile, Provenance, RunEvent, RunRequest
from fairing_az_jupyter.records import Recorder, RunStore
from fairing_az_jupyter.records.provenance.files import write_provenance
from fairing_az_jupyter.settings import InvalidSettingsError, Settings
from fairing_az_jupyter.tracking import contents, models, place
from fairing_az_jupyter.tracking import tracker as tracking
from fairing_az_jupyter.tracking.tracker import track


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("https://mlflow.contoso.com", "https://mlflow.contoso.com"),
        ("http://127.0.0.1:5000/", "http://127.0.0.1:5000"),
        ("https://contoso.com/team/mlflow/", "https://contoso.com/team/mlflow"),
        ("azureml://westeurope.api.azureml.ms/mlflow/v1.0/x/y", "azureml://westeurope.api.azureml.ms/mlflow/v1.0/x/y"),
        ("databricks", "databricks"),
        ("databricks://team", "databricks://team"),
        ("sqlite:///mlflow.db", "sqlite:///mlflow.db"),
        ("file:///tmp/mlruns", "file:///tmp/mlruns"),
        ("./mlruns", "./mlruns"),
        ("C:\\mlruns", "C:\\mlruns"),
        ("None", None),
    ],
)
def test_what_mlflow_takes_as_a_tracking_uri_is_a_setting(text, accepted):
    assert Settings(mlflow_tracking_uri=text).mlflow_tracking_uri == accepted


@pytest.mark.parametrize("text", ["https://ada:pa55@mlflow.contoso.com", "https://pa55@mlflow.contoso.com:5000/x"])
def test_a_uri_with_a_login_is_rejected_unshown_and_says_where_it_belongs(text):
    with pytest.raises(InvalidSettingsError, match="MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD") as caught:
        Settings(mlflow_tracking_uri=text)
    assert "pa55" not in str(caught.value)


@pytest.mark.parametrize("text", ["ftp://contoso.com", "https://", "https://contoso.com?a=b", "postgresql://host/db"])
def test_another_url_is_rejected(text):
    with pytest.raises(InvalidSettingsError, match="MLFLOW_TRACKING_URI"):
        Settings(mlflow_tracking_uri=text)


def test_the_variables_are_mlflows_own():
    found = services.Session().resolved.explain()
    names = {each.field: each.notebook_name for each in found}
    assert names["mlflow_tracking_uri"] == "MLFLOW_TRACKING_URI"
    assert names["mlflow_experiment"] == "MLFLOW_EXPERIMENT_NAME"


@pytest.fixture
def recorded(in_folder):
    """Return a function that makes a record."""

    def make(**wanted):
        request = RunRequest("C:\\work\\tasks.py", None, **{"kind": "train", "task": "Model", **wanted})
        return request, RunStore(in_folder / "runs").create(request, None)

    return make


def test_without_a_server_nobody_is_told_and_no_process_is_started(recorded, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: pytest.fail("looked for"))
    request, folder = recorded()
    with Recorder(folder) as recorder:
        track(recorder, request)
        assert recorder.observer is None
        recorder(RunEvent("metric", 1.0, name="loss", value=1))
        recorder.finish("succeeded")


def test_without_the_package_it_is_said_once_what_to_install_and_nothing_else_happens(recorded, monkeypatch, caplog):
    monkeypatch.setattr(place, "is_installed", lambda: False)
    monkeypatch.setattr(tracking, "is_installed", lambda: False)
    monkeypatch.setattr(tracking, "_warned", set())
    caplog.set_level("WARNING", "kubeflow.fairing")
    for _ in range(2):
        request, folder = recorded(settings={"mlflow_tracking_uri": "https://mlflow.contoso.com"})
        with Recorder(folder) as recorder:
            track(recorder, request)
            recorder.finish("succeeded")

    assert len(caplog.messages) == 1
    assert caplog.messages[0].endswith("Install it: pip install 'fairing-az-jupyter[mlflow]'")
    with pytest.raises(PackageMissingError, match=r"fairing-az-jupyter\[mlflow\]"):
        models.check_registry(Settings(mlflow_tracking_uri="https://mlflow.contoso.com"), "ames")


def test_register_fails_before_the_launch_where_no_server_is_set(in_folder):
    (in_folder / "tasks.py").write_text("class Model:\n    def train(self):\n        open('ran', 'w')\n")

    with pytest.raises(InputError, match="MLFLOW_TRACKING_URI is not set"):
        services.train(services.Session(), "tasks.py:Model", register="ames")
    with pytest.raises(InputError, match="not the name of a model"):
        models.check_registry(Settings(), "a/b")

    assert not RunStore(in_folder / "runs").list()


def test_what_is_told_of_a_training_holds_what_it_was_made_of_and_no_secret(recorded):
    settings = {"backend": "KubeflowAzureBackend", "memory": "8Gi", "azure_secret_name": "ours"}
    values = {"rate": 0.5, "api_key": "x", "url": "https://a:secret@b", "long": "x" * 9000}
    request, folder = recorded(settings=settings, parameters=values, input_files=("a.csv",), name="first")
    image = "contosoml.azurecr.io/a:1"
    made_of = Provenance(image=image, image_digest="sha256:1", inputs=(InputFile("a.csv", 1, "00ff"),))
    write_provenance(folder, made_of)

    params = contents.params(request, folder, Settings(**settings))
    tags = contents.beginning_tags(request, folder, {"sweep": "s", "point": 2}, "f00") | contents.ending_tags(folder)

    assert params["memory"] == "8Gi"
    assert params["rate"] == "0.5"
    assert json.loads(params["input_files"]) == ["a.csv"]
    assert len(params["long"]) == 6000
    assert not {"api_key", "url", "azure_secret_name"} & params.keys()
    assert tags["mlflow.runName"] == "first"
    assert tags["mlflow.source.name"] == "tasks.py:Model"
    assert tags["mlflow.parentRunId"] == "f00"
    assert tags["mlflow.docker.image.uri"] == image
    assert tags["fairing_az_jupyter.input.a.csv"] == "00ff"


def test_metrics_have_names_that_mlflow_takes_and_texts_are_none():
    assert contents.metric_name("map@50") == "map_50"
    assert contents.metric_name("val/loss") == "val/loss"
    assert [contents.number(value) for value in (1, True, 0.5, "good", None, 10**400)] == [1, 1, 0.5, None, None, None]
    assert str(contents.number("nan")) == "nan"


@pytest.mark.parametrize("text", ["models:/ames", "models:/a/b/3", "models:/ames@", "models:/../3/x", "ames/3"])
def test_only_a_version_or_an_alias_names_a_model(text):
    with pytest.raises(InputError, match="models:/NAME/VERSION"):
        models.fetch_model(Settings(mlflow_tracking_uri="https://mlflow.contoso.com"), text)
