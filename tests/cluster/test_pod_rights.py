"""What pods may do: under the Pod Security Standard `restricted`, and with what they find of the cluster's Secrets."""

from __future__ import annotations

import json
import sys

import cloudpickle
import pytest
from kubeflow.fairing import TrainJob

from fairing_az_jupyter.clients.azure.acr_tasks import ROLE
from fairing_az_jupyter.exceptions import FairingAzureError
from tests.cluster.deploy_terminal_scene import Terminal
from tests.cluster.notebooks_scene import wheels, yard  # noqa: F401 - fixtures
from tests.stand.fixtures import all_there

ENFORCED = "pod-security.kubernetes.io/enforce"
WRITES = """
import getpass, os, pathlib, tempfile
pathlib.Path("model.dat").write_text("trained")
pathlib.Path.home().joinpath(".cache").mkdir()
found = {"user": os.getuid(), "group": os.getgid(), "name": getpass.getuser(), "folder": os.getcwd()}
found["home"] = os.path.expanduser("~")
with tempfile.NamedTemporaryFile() as file:
    found["temporary"] = os.path.dirname(file.name)
try:
    pathlib.Path("/usr/written").write_text("x")
    found["root"] = "written"
except OSError as error:
    found["root"] = error.strerror
"""


class Writer:
    def train(self):
        import json
        from pathlib import Path

        names = {}
        exec(WRITES, names)  # noqa: S102 - this file's own text
        print(json.dumps({**names["found"], "data": Path("data/input.txt").read_text()}))


class Looker:
    def train(self):
        import json
        from pathlib import Path

        print(json.dumps(Path("/var/run/secrets/kubernetes.io/serviceaccount/token").exists()))


@pytest.fixture(autouse=True)
def as_in_a_notebook():
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def enforce(workshop, level="restricted"):
    body = {"metadata": {"labels": {ENFORCED: level}}}
    workshop.admin.patch(f"/api/v1/namespaces/{workshop.namespace}", body)


def task(workshop, task_class, files=(), **settings):
    return TrainJob(
        task_class,
        input_files=list(files),
        docker_registry=f"{workshop.setup.login_server}/{workshop.namespace}",
        base_docker_image=workshop.base,
        backend=workshop.backend(**settings),
    )


def test_a_training_writes_where_it_runs_and_nowhere_else_under_restricted(workshop, tmp_path):
    enforce(workshop)
    (tmp_path / "notebook" / "data").mkdir()
    (tmp_path / "notebook" / "data" / "input.txt").write_text("rows")

    job = task(workshop, Writer, ["data/input.txt"], pod_security="restricted").submit()

    assert json.loads(job.lines[-1]) == {
        "user": 1000,
        "group": 1000,
        "name": "fairing",
        "folder": "/app",
        "home": "/home/fairing",
        "temporary": "/tmp",  # noqa: S108 - the pod's
        "root": "Read-only file system",
        "data": "rows",
    }
    assert workshop.nothing_left()


def test_without_the_setting_restricted_refuses_the_training(workshop):
    enforce(workshop)

    with pytest.raises(FairingAzureError, match="PodSecurity"):
        task(workshop, Looker).submit()


def test_kaniko_is_refused_under_restricted_before_anything_is_sent(workshop, tmp_path):
    (tmp_path / "notebook" / "requirements.txt").write_text("greeter==1.0\n")

    with pytest.raises(FairingAzureError, match="Kaniko needs root") as caught:
        task(workshop, Looker, ["requirements.txt"], pod_security="restricted").builder.build()

    assert "FAIRING_BUILDER = 'acr-tasks'" in caught.value.hint
    assert workshop.stand.blob_front.count(".*/contexts/.*", "PUT") == 0
    assert workshop.left() == []


@pytest.mark.parametrize("wanted", [False, True])
def test_a_training_gets_its_service_accounts_token_if_it_is_asked_for_only(workshop, wanted):
    assert task(workshop, Looker, pod_token=wanted).submit().lines == (json.dumps(wanted),)


MODEL = f"""
import json, os, ssl, urllib.request

def answer(kind):
    # With what there is to ask with: nothing.
    host = f"{{os.environ['KUBERNETES_SERVICE_HOST']}}:{{os.environ['KUBERNETES_SERVICE_PORT']}}"
    url = f"https://{{host}}/api/v1/namespaces/NAMESPACE/{{kind}}"
    try:
        urllib.request.urlopen(url, timeout=10, context=ssl._create_unverified_context())
    except OSError as error:
        return getattr(error, "code", str(error))
    return "read"

class Probing:
    def train(self):
        open("weight.txt", "w").write("0.5")

    def predict(self, X, feature_names=None):
        names = {{}}
        exec({WRITES!r}, names)
        token = names["pathlib"].Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
        read = [answer("secrets"), answer("secrets/azcreds")]
        print("FOUND", json.dumps({{**names["found"], "token": token.exists(), "read": read}}), flush=True)
        return [float(open("weight.txt").read()) for _ in X]
"""


@pytest.fixture
def azure_builds(workshop, tasks):
    workshop.stand.arm.assign(workshop.setup.oid, ROLE, workshop.setup.registry)
    return tasks


@pytest.fixture
def terminal(example_wheels, workshop, own_folders, azure_builds):
    with all_there():
        for wheel in example_wheels.glob("*.whl"):
            (workshop.index.folder / wheel.name).symlink_to(wheel)
    return Terminal(workshop, own_folders)


def test_an_endpoint_serves_what_was_trained_under_restricted_and_reads_no_secret(terminal, tmp_path, kserve):
    folder = tmp_path / "notebook"
    (folder / "probing.py").write_text(MODEL.replace("NAMESPACE", terminal.workshop.namespace))
    (folder / "requirements.txt").write_text("kserve>=0.15\n")
    enforce(terminal.workshop)
    terminal.settings()
    trained = json.loads(terminal.type("train", "probing.py:Probing", "--backend", "LocalBackend", "--json")[0])
    deploy = ("deploy", "probing.py:Probing", "--from", trained["record"], "--input-files", "requirements.txt")

    # Both of one image, with what was trained as a layer of its own: it is built for the first.
    for kind in ("deployment", "inference-service"):
        chosen = ("--builder", "acr-tasks", "--pod-security", "restricted", "--endpoint-kind", kind)
        out, _ = terminal.type(*deploy, *chosen, "--json")

        name = json.loads(out)["endpoint"]["name"]
        assert terminal.type("predict", name, "[[1, 2]]")[0].startswith("0.5"), kind
        [line] = [line for line in terminal.type("logs", name)[0].splitlines() if line.startswith("FOUND")]
        found = json.loads(line.removeprefix("FOUND "))
        assert (found["user"], found["root"], found["token"]) == (1000, "Read-only file system", False), kind
        assert set(found["read"]) <= {401, 403}, found
        terminal.type("delete", name)


def test_a_notebook_runs_under_restricted(yard, azure_builds):  # noqa: F811 - Azure builds
    enforce(yard.workshop)
    changed = {"pod_security": "restricted", "builder": "acr-tasks"}

    _, info = yard.run(
        yard.notebook(WRITES, "print(found)"), settings=yard.settings.model_copy(update=changed), rate=0.25
    )

    assert info.state == "succeeded", info
