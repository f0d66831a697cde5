"""The notebook image is built by buildah on a base that promises what Kubeflow's does, and serves notebooks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile

import psutil
import pytest

from tests.conftest import REPOSITORY
from tests.stand import notebook_image
from tests.stand.fixtures import all_there
from tests.stand.notebook_image import Builder, BuildError
from tests.stand.processes import Guard, Server, on_free_port

DOCKERFILE = REPOSITORY / "deploy" / "Dockerfile"
IMAGE = "localhost/test/fairing-notebook:0.1.0"
PREFIX = "/notebook/team-a/fairing"

# The stand-in's first making takes about a minute, and so does the image.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    with all_there():
        store = notebook_image.stand_in()
    found = Builder(tmp_path_factory.mktemp("builder") / "own", [store])
    yield found
    found.close()


@pytest.fixture(scope="module")
def guard(builder):
    found = Guard(builder.folder)
    yield found
    found.close()


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """The build context: this repository's wheel, and an archive of sources as `python -m build` leaves there."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", folder, REPOSITORY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "fairing_az_jupyter-0.0.1.tar.gz").write_bytes(b"sources")
    return folder


@pytest.fixture(scope="module")
def image(builder, dist):
    builder.build(DOCKERFILE, dist, IMAGE, {"BASE_IMAGE": notebook_image.STAND_IN})
    return IMAGE


@pytest.fixture(scope="module")
def container(builder, image):
    return builder.container(image)


@pytest.fixture
def served(builder, guard, container, tmp_path):
    """The image's own command with NB_PREFIX and a volume as home, as Kubeflow starts it: its process and address."""
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, notebook_image.USER_ID, notebook_image.GROUP_ID)
    settings = builder.settings(IMAGE)
    own = [*(settings["Entrypoint"] or []), *settings["Cmd"]]

    def start(port):
        variables = [f"--env=NB_PREFIX={PREFIX}", f"--env=STAND_PORT={port}"]
        volume = f"--volume={home}:{notebook_image.HOME}"
        return Server(
            "the notebook server",
            builder.command("run", *variables, volume, container, "--", *own),
            log=tmp_path / "log",
            ready=lambda: get(f"http://127.0.0.1:{port}{PREFIX}/api") is not None,
            guard=guard,
            environment=builder.environment,
        )

    server, port = on_free_port(start)
    yield server.pid, f"http://127.0.0.1:{port}"
    server.end()


def within(builder, container, *command):
    return builder.buildah("run", container, "--", *command)


def make_wheel(path):
    """Write the smallest package that pip installs; it needs no other."""
    folder = "small-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{folder}/METADATA", "Metadata-Version: 2.1\nName: small\nVersion: 1.0\n")
        file.writestr(
            f"{folder}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{folder}/RECORD", f"{folder}/METADATA,,\n{folder}/WHEEL,,\n{folder}/RECORD,,\n")


def get(address):
    """Return what a server answers; None where nobody listens yet."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return json.load(answer)
    except ConnectionError:
        return None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionError):
            return None
        raise


def test_the_dockerfile_builds_on_kubeflows_image_unless_told_otherwise():
    lines = DOCKERFILE.read_text(encoding="utf-8").splitlines()

    assert "ARG BASE_IMAGE=ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-scipy:v1.10.0" in lines
    assert "FROM ${BASE_IMAGE}" in lines


def test_the_command_line_runs_in_the_image_as_jovyan(builder, container):
    assert within(builder, container, "id", "--user", "--name").split() == ["jovyan"]
    assert within(builder, container, "fairing-azure", "--help").startswith("usage: fairing-azure")
    assert "nothing to do" in within(builder, container, "fairing-azure", "install-fairing", "--dry-run")


def test_upstreams_unchanged_lines_and_the_magics_work_in_the_image(builder, container):
    lines = "from kubeflow.fairing import TrainJob, PredictionEndpoint; print(TrainJob)"

    imported = within(builder, container, "python3", "-c", lines)
    listed = within(builder, container, "ipython", "-c", "%load_ext fairing_az_jupyter\n%fairing_azure --help")

    assert "kubeflow.fairing.ml_tasks.tasks.TrainJob" in imported
    assert "Train and serve a model" in listed


def test_the_image_answers_below_the_notebooks_prefix_as_jovyan(served):
    pid, address = served

    answer = get(f"{address}{PREFIX}/api")

    assert set(answer) == {"version"}
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{address}/notebook/team-a/other/api")
    inside = psutil.Process(pid).children(recursive=True)
    assert {one.uids().real for one in inside if any("jupyter-lab" in word for word in one.cmdline())} == {
        notebook_image.USER_ID
    }


def test_user_command_and_environment_are_the_bases(builder, image):
    base, ours = builder.settings(notebook_image.STAND_IN), builder.settings(image)

    for name in ("User", "Env", "Cmd", "Entrypoint", "WorkingDir", "ExposedPorts"):
        assert (ours.get(name) or None) == (base.get(name) or None), name


def test_the_build_leaves_nothing_in_the_home_and_no_cache(builder, image):
    base, ours = builder.container(notebook_image.STAND_IN), builder.container(image)

    before = within(builder, base, "find", notebook_image.HOME)
    after = within(builder, ours, "find", notebook_image.HOME)
    caches = within(builder, ours, "sh", "-c", "find / -xdev -path '*/pip/http*' 2>/dev/null; true")

    assert after == before
    assert caches == ""


def test_no_way_to_packages_of_the_building_machine_is_in_the_image(builder, image):
    found = builder.container(image)

    settings = within(builder, found, "sh", "-c", "cat /etc/pip.conf /opt/conda/pip.conf 2>/dev/null; true")

    assert settings == ""
    assert not [name for name in builder.settings(image)["Env"] if name.startswith("PIP_")]


@pytest.mark.parametrize("count", [0, 2])
def test_a_build_without_exactly_one_wheel_ends_and_says_so(builder, dist, tmp_path, count):
    wheel = next(dist.glob("*.whl"))
    shutil.copy(dist / "fairing_az_jupyter-0.0.1.tar.gz", tmp_path)
    for number in range(count):
        shutil.copy(wheel, tmp_path / f"fairing_az_jupyter-0.1.{number}-py3-none-any.whl")

    with pytest.raises(BuildError, match="whl") as caught:
        builder.build(DOCKERFILE, tmp_path, "localhost/test/wrong", {"BASE_IMAGE": notebook_image.STAND_IN})

    if count:
        assert "There has to be exactly one wheel in the build context" in str(caught.value)
    assert "localhost/test/wrong" not in builder.buildah("images")


def test_a_base_whose_environment_is_not_jovyans_ends_the_build(builder, tmp_path):
    # With user site-packages, as Conda's Python has them: there pip would turn to the home directory.
    (tmp_path / "Dockerfile").write_text(
        f"FROM {notebook_image.STAND_IN}\n"
        "USER root\n"
        "RUN chown root:root /opt/conda/lib/python3*/site-packages && sed -i s/false/true/ /opt/conda/pyvenv.cfg\n"
        "USER 1000\n"
    )
    builder.build(tmp_path / "Dockerfile", tmp_path, "localhost/test/rooted", {})
    make_wheel(tmp_path / "small-1.0-py3-none-any.whl")

    with pytest.raises(BuildError, match="Permission denied"):
        builder.build(DOCKERFILE, tmp_path, "localhost/test/wrong", {"BASE_IMAGE": "localhost/test/rooted"})
