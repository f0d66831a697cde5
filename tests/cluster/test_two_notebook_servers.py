"""Two notebook servers of one namespace, as pods: one finds, fetches and deploys what the other has trained."""

from __future__ import annotations

import json
import sysconfig
import time
from pathlib import Path

import pytest

from fairing_az_jupyter.settings import from_notebook
from tests.conftest import REPOSITORY

TASKS = """
def fit():
    rows = open("data.csv").read().split(",")
    open("model.txt", "w").write(f"trained with {len(rows)} rows")

def fails():
    raise ValueError("no such column: price")

class Model:
    def predict(self, X, feature_names=None):
        print(open("model.txt").read(), flush=True)
        return X.sum(axis=1)
"""


class Server:
    """A notebook server: a pod with a home and a name of its own, in which somebody types commands."""

    def __init__(self, workshop, name, folder):
        self.workshop, self.name, self.folder = workshop, name, folder
        self.pods = f"/api/v1/namespaces/{workshop.namespace}/pods"
        self.count = 0
        folder.mkdir()

    def type(self, *words, code=0, seconds=120):
        """Run a command in a new pod of the server, and return what it has printed."""
        here = {"repository": REPOSITORY, "packages": Path(sysconfig.get_paths()["purelib"]), "home": self.folder}
        own = {"BASE_IMAGE": self.workshop.base, "BUILDER_IMAGE": self.workshop.builder_image}
        own |= {"BACKEND": "KubeflowAzureBackend", "CPU": "100m", "MEMORY": "512Mi"}
        variables = {
            "PYTHONPATH": "/mnt/repository:/mnt/packages",
            "PYTHONDONTWRITEBYTECODE": "1",
            "REQUESTS_CA_BUNDLE": "/run/stand-ca.pem",
            "HOME": "/mnt/home",
            "NB_PREFIX": f"/notebook/{self.workshop.namespace}/{self.name}",
            "COLUMNS": "80",
            **{f"FAIRING_{name}": value for name, value in own.items()},
            **{name: str(value) for name, value in self.workshop.setup.settings.items() if value is not None},
        }
        container = {
            "name": "notebook",
            "image": self.workshop.base,
            "command": ["python", "-m", "fairing_az_jupyter", *words],
            "workingDir": "/mnt/home",
            "env": [{"name": name, "value": value} for name, value in variables.items()],
            "volumeMounts": [{"name": name, "mountPath": f"/mnt/{name}"} for name in here],
        }
        spec = {
            "serviceAccountName": "default-editor",
            "restartPolicy": "Never",
            "containers": [container],
            "volumes": [{"name": name, "hostPath": {"path": str(path)}} for name, path in here.items()],
        }
        self.count += 1
        pod = f"{self.name}-{self.count}"
        admin = self.workshop.admin
        admin.post(self.pods, {"metadata": {"name": pod}, "spec": spec})
        end = time.monotonic() + seconds
        while (phase := admin.get(f"{self.pods}/{pod}")["status"].get("phase")) not in {"Succeeded", "Failed"}:
            assert time.monotonic() < end, admin.call("GET", f"{self.pods}/{pod}/log").text
            time.sleep(0.2)
        said = admin.call("GET", f"{self.pods}/{pod}/log").text
        admin.call("DELETE", f"{self.pods}/{pod}")
        assert phase == ("Failed" if code else "Succeeded"), said
        assert not [mark for mark in self.workshop.setup.marks if mark in said]
        return said


def answer(printed):
    """Return the JSON document at the end of what was printed."""
    return json.loads(printed[f"\n{printed}".rindex("\n{\n") :])


@pytest.fixture
def servers(workshop, tmp_path):
    # Only for the folders of this machine that the notebook servers have in place of packages of their own.
    allowed = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    workshop.admin.patch(f"/api/v1/namespaces/{workshop.namespace}", allowed, "application/merge-patch+json")
    return [Server(workshop, name, tmp_path / name) for name in ("ann", "bob")]


@pytest.mark.timeout(600)
def test_one_notebook_server_finds_fetches_and_deploys_what_another_has_trained(example_wheels, servers, workshop):
    for wheel in example_wheels.glob("*.whl"):
        (workshop.index.folder / wheel.name).symlink_to(wheel)
    ann, bob = servers
    (ann.folder / "tasks.py").write_text(TASKS)
    (ann.folder / "data.csv").write_text("1,2,3\n")
    assert from_notebook(workshop.setup.settings)["azure_storage_account"]

    done = answer(ann.type("train", "tasks.py:fit", "--input-files", "data.csv", "--json"))
    ann.type("train", "tasks.py:fails", code=4)

    failed, trained = answer(bob.type("runs", "list", "--cluster", "--json"))["launches"]
    said = {"name": done["job"], "state": "succeeded", "task": "fit", "owner": "ann", "own": False}
    said |= {"run": done["record"], "notebook": "tasks.py", "files": 1, "size": len("trained with 3 rows")}
    assert {name: trained[name] for name in said} == said
    assert trained["image_digest"].startswith("sha256:")
    assert time.time() - 300 < trained["created"] < trained["ended"] < time.time() + 5
    assert (failed["state"], failed["raised"]) == ("failed", "ValueError: no such column: price")

    lines = bob.type("runs", "list", "--cluster").splitlines()
    assert lines[0].split() == ["JOB", "CLASS", "STATE", "WHO", "WHEN", "SIZE"]
    assert lines[1].split()[1:4] == ["fails", "failed", "ann"]
    assert lines[2] == "  ValueError: no such column: price"
    assert lines[3].split()[:4] == [done["job"], "fit", "succeeded", "ann"]
    assert max(map(len, lines[:4])) <= 80

    bob.type("fetch", done["job"], "model.txt")
    assert (bob.folder / "model.txt").read_text() == "trained with 3 rows"

    (bob.folder / "model.txt").unlink()
    (bob.folder / "tasks.py").write_text(TASKS)
    (bob.folder / "requirements.txt").write_text("kserve>=0.15\n")
    deploy = ("deploy", "tasks.py:Model", "--from", done["job"], "--input-files", "requirements.txt", "--json")
    endpoint = answer(bob.type(*deploy, seconds=300))["endpoint"]["name"]
    assert answer(bob.type("predict", endpoint, "[[1, 2]]", "--json"))["values"] == [3.0]
    assert "trained with 3 rows" in bob.type("logs", endpoint)
    bob.type("delete", endpoint)
    assert workshop.nothing_left()
