"""A set-up in which whole notebooks run as Jobs: a base image that trusts the stand, and an index with all wheels."""

from __future__ import annotations

import contextlib
import threading
import time

import nbformat
import pytest

from fairing_az_jupyter import services
from fairing_az_jupyter.clients.oci.images import ConfigChanges, ImageReference, Layer
from fairing_az_jupyter.exceptions import RunCancelledError, RunFailedError
from fairing_az_jupyter.fairing.images.notebook_image import own_requirements
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.settings import to_notebook
from tests.clients.image_parts import tar_of
from tests.stand.fixtures import all_there
from tests.stand.wheels import wheels_for

ROOM = {"cpu": "100m", "memory": "1Gi"}


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    """The wheels that a notebook's image needs, fetched before the stand's names are the only ones there are."""
    requirements = tmp_path_factory.mktemp("wheels") / "requirements.txt"
    requirements.write_text("\n".join([*own_requirements(), "xgboost-cpu>=3.0"]) + "\n")
    with all_there():
        return wheels_for(requirements)


class Yard:
    """A namespace in which notebooks run, and the folder that they are launched from."""

    def __init__(self, workshop, folder, runs):
        self.workshop, self.folder, self.runs = workshop, folder, str(runs)
        self.store, self.admin, self.namespace = RunStore(runs), workshop.admin, workshop.namespace
        self.settings = workshop.settings(backend="KubeflowAzureBackend", **ROOM)

    def notebook(self, *cells, name="a.ipynb", tagged="rate = 0.5"):
        made = nbformat.v4.new_notebook(
            metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
        )
        made.cells = [nbformat.v4.new_code_cell(tagged, metadata={"tags": ["parameters"]})]
        made.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
        # Identifiers that stay: the same cells are the same file.
        for number, cell in enumerate(made.cells):
            cell["id"] = f"cell-{number}"
        path = self.folder / name
        nbformat.write(made, path)
        return str(path)

    def request(self, notebook, **values):
        request, _ = services.plan_cluster_run(services.Session(), notebook, values=values)
        return request

    def run(self, notebook, *, settings=None, input_files=(), report=None, **values):
        """Run it in the cluster to its end; return what happened in it, and its record."""
        seen = []
        batch = self.start(self.request(notebook, **values), settings=settings, input_files=input_files)
        with contextlib.suppress(RunFailedError, RunCancelledError):
            services.follow_cluster_run(
                services.Session(runs_folder=self.runs), batch.runs[0], seen.append, report=report
            )
        return seen, services.describe_run(services.Session(runs_folder=self.runs), batch.runs[0])

    def start(self, *requests, settings=None, **options):
        points = [services.ClusterPoint(request) for request in requests]
        return services.start_on_cluster(
            services.Session(runs_folder=self.runs), points, settings or self.settings, **options
        )

    def following(self, name):
        """Follow a run in another thread; return that, and the list of what happens."""
        seen = []

        def follow():
            with contextlib.suppress(RunFailedError, RunCancelledError):
                services.follow_cluster_run(services.Session(runs_folder=self.runs), name, seen.append)

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        return thread, seen

    def pods(self, job):
        items = self.admin.get(f"/api/v1/namespaces/{self.namespace}/pods")["items"]
        return [pod for pod in items if pod["metadata"]["labels"].get("job-name") == job]

    def until(self, what, seconds=60):
        end = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < end, self.told()
            time.sleep(0.3)
        return found

    def told(self):
        """Return what there is to know when something does not come."""
        return [info.to_dict() for info in self.store.list()], self.workshop.left()

    def pushes(self):
        """Return how many images were pushed."""
        return self.workshop.stand.registry_front.count(r"/v2/.*/manifests/.*", "PUT")

    def contexts(self):
        """Return how many build contexts were sent."""
        return self.workshop.stand.blob_front.count(r".*/contexts/.*", "PUT")

    def environment(self):
        return {name: str(value) for name, value in to_notebook(self.settings).items() if value is not None}


@pytest.fixture
def yard(wheels, workshop, tmp_path, monkeypatch):
    for wheel in wheels.glob("*.whl"):
        (workshop.index.folder / wheel.name).symlink_to(wheel)
    base = workshop.images.resolve(ImageReference.parse(workshop.base))
    layer = Layer.from_bytes(tar_of({"etc/trust.txt": b"the stand"}))
    pushed = workshop.images.append(
        base,
        workshop.images,
        layer,
        repository="base/python-trusting",
        tag="3.11",
        created_by="trust",
        changes=ConfigChanges(env={"REQUESTS_CA_BUNDLE": "/run/stand-ca.pem"}),
    )
    workshop.base = pushed.name.partition("@")[0] + ":3.11"
    monkeypatch.setenv("FAIRING_AZURE_RUNS", str(tmp_path / "runs"))
    return Yard(workshop, tmp_path / "notebook", tmp_path / "runs")
