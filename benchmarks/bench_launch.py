"""Launching a training task on the test stand: first, again, with a changed line, with other requirements.

Held against Fairing 1.0.2's way of working, on the same servers and with the same Kaniko: `AzureFileUploader` in its
kubeflow/fairing/cloud/azure.py sends the context file by file, and builders/cluster/azurestorage_context.py has Kaniko
build the whole image by Fairing's own Dockerfile, without a cache and each time anew, as the time stamp in its archive
makes every context another one. The sending is not Fairing's own code, which can't send to today's Azure. What it does
besides is left out: it makes folders, the share and a Secret, and asks for each file twice. In place of the mounted
share the pod gets the context as one archive, which is sent beforehand and not counted.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import random
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cloudpickle
from azure.storage.blob import BlobServiceClient
from kubeflow.fairing import TrainJob
from kubeflow.fairing.builders.dockerfile import write_dockerfile
from table import Row

from fairing_az_jupyter.clients.azure.blob.storage import CONTAINER
from fairing_az_jupyter.fairing.cluster.connections import Launcher
from fairing_az_jupyter.fairing.cluster.manifests import Placement
from fairing_az_jupyter.fairing.context.archive import ArchiveEntry, write_archive
from fairing_az_jupyter.fairing.context.task_files import entries_of
from fairing_az_jupyter.fairing.images.build_pods import BuildOrder
from fairing_az_jupyter.fairing.images.kaniko_job import build_in_cluster
from fairing_az_jupyter.fairing.jobs.training_job import ClusterJob
from tests.cluster.builders_scene import Workshop, with_index
from tests.stand import close_shared, shared
from tests.stand.package_index import PackageIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fairing_az_jupyter.clients.secret_values import SecretValue
    from tests.stand import Setup, Stand

FILES, FILE_SIZE = 200, 5000
ROUNDS, BUILDS = 3, 2
# How many times faster; and as one build is needed each way, the ratio of that to theirs.
AGAIN, CHANGED, ONE_BUILD = 5, 3, 1.2
AGAINST = "Fairing 1.0.2's way"
WHEELS = ("columns", "models", "scores")
_STEP = "step.py"


class Trainer:
    """What is launched."""

    def train(self) -> None:
        """Use a file of the task and what its requirements name."""
        import scores  # type: ignore[import-not-found] # noqa: PLC0415 - in the container only
        import step  # type: ignore[import-not-found] # noqa: PLC0415 - likewise

        print(step.SIZE, scores.VERSION)


class Cost(NamedTuple):
    """What something took.

    Args:
        seconds: How long.
        requests: Calls of the API server, the registry and the Storage account.
        builds: Jobs that were made to build.
        sent: Blobs, and layers of images, that were sent.

    """

    seconds: float
    requests: int
    builds: int
    sent: int


def rows() -> list[Row]:
    """Measure both.

    Returns:
        Rows of seconds, requests, build pods, and blobs and layers sent.

    """
    logging.disable(logging.WARNING)
    stand = shared()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-launch-") as folder, _yard(stand, Path(folder)) as yard:
            first = yard.cost(yard.build)
            unchanged = _medians([yard.cost(yard.build) for _ in range(ROUNDS)])
            submitted = _medians([yard.cost(yard.submit) for _ in range(ROUNDS)])
            changed = _medians([yard.cost(yard.build, size=size) for size in range(2, 2 + ROUNDS)])
            resubmitted = _medians([yard.cost(yard.submit, size=size) for size in range(5, 5 + ROUNDS)])
            other = yard.cost(yard.build, scores="2.0")
            sendings = [yard.fairings() for _ in range(BUILDS)]
            theirs, whole = (_medians([each[place] for each in sendings]) for place in (0, 1))
    finally:
        logging.disable(logging.NOTSET)
        close_shared()
    built = [
        ("first launch", first, ONE_BUILD, "ratio"),
        ("launch again unchanged", unchanged, AGAIN, "speedup"),
        ("launch with one line changed", changed, CHANGED, "speedup"),
        ("launch with other requirements", other, ONE_BUILD, "ratio"),
    ]
    return [
        *(
            Row(f"{name}: image", our.seconds, theirs.seconds, AGAINST, "s", bound, kind)
            for name, our, bound, kind in built
        ),
        *(_counted(f"{name}: image", our.requests, theirs.requests, "requests", 1) for name, our, _, _ in built),
        _counted("launch again unchanged", unchanged.builds, theirs.builds, "build pods", 0),
        _counted("launch again unchanged", unchanged.sent, theirs.sent, "blobs and layers", 0),
        _counted("launch with one line changed", changed.builds, theirs.builds, "build pods", 0),
        _counted("launch with other requirements", other.builds, theirs.builds, "build pods", 1),
        Row("launch again unchanged: image and job", submitted.seconds, whole.seconds, AGAINST, "s", AGAIN, "speedup"),
        Row(
            "launch with one line changed: image and job",
            resubmitted.seconds,
            whole.seconds,
            AGAINST,
            "s",
            CHANGED,
            "speedup",
        ),
    ]


class _Yard:
    """A notebook's folder with a task, and two ways to launch it."""

    def __init__(self, stand: Stand, workshop: Workshop, folder: Path) -> None:
        self._stand, self._workshop, self._folder = stand, workshop, folder
        self._registry = f"{workshop.setup.login_server}/{workshop.namespace}/ml"
        text = random.Random(1)  # noqa: S311 - the same files in each run
        for number in range(FILES):
            letters = text.choices("abcdefgh ,0123456789\n", k=FILE_SIZE)
            (folder / f"part-{number:03d}.csv").write_text("".join(letters))
        for wheel in WHEELS:
            for version in ("1.0", "2.0"):
                modules = {f"{wheel}/part{number}.py": "# " + "x" * 20_000 + "\n" for number in range(20)}
                workshop.index.add(wheel, version, {**modules, f"{wheel}/__init__.py": f"VERSION = {version}\n"})
        self._write(1, "1.0")

    def _write(self, size: int, scores: str) -> None:
        (self._folder / _STEP).write_text(f"SIZE = {size}\n")
        wanted = {**dict.fromkeys(WHEELS, "1.0"), "scores": scores}
        (self._folder / "requirements.txt").write_text("".join(f"{name}=={wanted[name]}\n" for name in WHEELS))

    def cost(self, launch: Callable[[], object], *, size: int | None = None, scores: str | None = None) -> Cost:
        """Measure a launch, after a change of the task's files if one is named."""
        if size is not None or scores is not None:
            self._write(size or 1, scores or "1.0")
        before, began = self._counts(), time.perf_counter()
        launch()
        seconds = time.perf_counter() - began
        after = self._counts()
        return Cost(seconds, *(later - sooner for later, sooner in zip(after, before, strict=True)))

    def _counts(self) -> tuple[int, int, int]:
        stand = self._stand
        fronts = (stand.kubernetes_front, stand.registry_front, stand.blob_front)
        builds = stand.kubernetes_front.count(f"^/apis/batch/v1/namespaces/{self._workshop.namespace}/jobs$", "POST")
        layers = stand.registry_front.count("/blobs/uploads/", "POST")
        return sum(front.count() for front in fronts), builds, stand.blob_front.count("", "PUT") + layers

    def _task(self) -> TrainJob:
        # A new one for each launch, as after a restart of the notebook's kernel.
        files = [path.name for path in self._folder.iterdir() if path.is_file()]
        backend, base = self._workshop.backend(), self._workshop.base
        return TrainJob(
            Trainer, input_files=files, docker_registry=self._registry, base_docker_image=base, backend=backend
        )

    def build(self) -> None:
        """Have the task's image in the registry."""
        self._task().builder.build()

    def submit(self) -> None:
        """Launch the task and wait for its end."""
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            self._task().submit()
        _check(self._folder, shown.getvalue())

    def fairings(self) -> tuple[Cost, Cost]:
        """Launch as Fairing 1.0.2 does; return what the image took, and all of it."""
        builder = self._task().builder
        entries = entries_of(builder.preprocessor)
        tag, base = uuid.uuid4().hex, self._workshop.base
        order = BuildOrder(image=f"{self._registry}/whole:{tag}", tag=tag, base=base, dockerfile="Dockerfile")
        small = Placement(cpu="100m", memory="512Mi")
        setup = self._workshop.setup
        address = f"https://{setup.account}.blob.core.windows.net"
        with (
            Launcher(self._workshop.settings(), placement=small) as launcher,
            BlobServiceClient(address, credential=setup.account_key) as service,
            service.get_container_client(CONTAINER) as container,
        ):
            link = self._link(launcher, entries)

            def build() -> None:
                for entry in entries:
                    if entry.source is not None and entry.kind == "file":
                        container.upload_blob(f"build_{tag}/{entry.destination}", entry.source.read_bytes())
                build_in_cluster(launcher, order, lambda: link)

            def run() -> None:
                with contextlib.redirect_stdout(io.StringIO()) as shown:
                    ClusterJob(launcher).deploy(builder.generate_pod_spec(order.image))
                _check(self._folder, shown.getvalue())

            built, ran = self.cost(build), self.cost(run)
        return built, Cost(*(one + other for one, other in zip(built, ran, strict=True)))

    def _link(self, launcher: Launcher, entries: Sequence[ArchiveEntry]) -> SecretValue:
        """Have the context with Fairing's Dockerfile in the Storage account; return the link to read it by."""
        packed, dockerfile = (self._folder.parent / name for name in ("context.tar.gz", "Dockerfile"))
        write_dockerfile(
            destination=str(dockerfile),
            path_prefix="/app/",
            base_image=self._workshop.base,
            install_reqs_before_copy=True,
        )
        archive = write_archive((*entries, ArchiveEntry("Dockerfile", dockerfile)), packed)
        return launcher.contexts.link(launcher.contexts.keep(packed, archive.digest))


@contextlib.contextmanager
def _yard(stand: Stand, folder: Path) -> Iterator[_Yard]:
    """Lead this process to a stand with a node, Kaniko and a package index, and to a notebook's folder."""
    notebook, wheels = folder / "notebook", folder / "wheels"
    notebook.mkdir()
    wheels.mkdir()
    with contextlib.ExitStack() as opened:
        opened.enter_context(stand.names.here())
        setup = stand.correct_setup(f"bench-{uuid.uuid4().hex[:8]}")
        opened.enter_context(_environment(setup, folder / "home"))
        opened.callback(os.chdir, Path.cwd())
        os.chdir(notebook)
        cloudpickle.register_pickle_by_value(sys.modules[__name__])
        opened.callback(cloudpickle.unregister_pickle_by_value, sys.modules[__name__])
        plain = stand.node.push_base(setup.login_server, setup.dockerconfig)
        index = PackageIndex(stand.authority, stand.names, wheels)
        opened.callback(index.close)
        kaniko = stand.node.push_kaniko(setup.login_server, setup.dockerconfig)
        workshop = Workshop(stand, setup, "", kaniko, index)
        opened.callback(workshop.close)
        workshop.base = with_index(workshop.images, plain, index.url)
        yield _Yard(stand, workshop, notebook)


@contextlib.contextmanager
def _environment(setup: Setup, home: Path) -> Iterator[None]:
    """Be a user outside the cluster for a while, with a home of their own."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("KUBERNETES_")]:
        del os.environ[name]
    os.environ.update({"KUBECONFIG": str(setup.kubeconfig), "FAIRING_AZURE_HOME": str(home)})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _check(folder: Path, shown: str) -> None:
    size = (folder / _STEP).read_text().partition("=")[2].strip()
    if not shown.startswith(f"{size} "):
        message = f"The task printed {shown!r} and not {size}."
        raise RuntimeError(message)


def _medians(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(each) for each in zip(*costs, strict=True)))  # type: ignore[arg-type] # of counts


def _counted(name: str, ours: float, theirs: float, unit: str, promise: float) -> Row:
    return Row(name, ours, theirs, AGAINST, unit, promise)


if __name__ == "__main__":
    for row in rows():
        print(f"{row.name}: {row.ours:.3f} {row.unit}, {row.against}: {row.theirs:.3f} {row.unit}, {row.figure:.2f}")
