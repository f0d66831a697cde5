"""Finds the real servers, or makes them once in the user's cache.

It needs nothing but Python itself, so that it can run before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

CLUSTER = Path(__file__).resolve().parents[2] / "cluster"
_KANIKO = CLUSTER / "kaniko"
_KWOK = CLUSTER / "kwok"
_KSERVE = CLUSTER / "kserve"
_KSERVE_MODULE = "github.com/kserve/kserve"
AZURITE = "azurite@3.37.0"
_NODE = (20,)
_GO = (1, 24)
_GO_OF_KWOK = (1, 26)
_PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager")
_PROVIDE = "tests/cluster/provide makes everything that the test stand needs."


class MissingError(RuntimeError):
    """A real server is not on this machine and can't be made here; the text says how to get it."""


@dataclass(frozen=True)
class ControlPlanePrograms:
    """Where the programs of a control plane are."""

    etcd: Path
    apiserver: Path
    controller_manager: Path


def control_plane() -> ControlPlanePrograms:
    """Return the control plane's programs: from KUBEBUILDER_ASSETS, or built with Go, once.

    Raises:
        MissingError: Neither is possible here.

    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    folder = Path(assets) if assets else _built_control_plane()
    missing = [name for name in _PROGRAMS if not (folder / name).is_file()]
    if missing:
        msg = (
            f"{', '.join(missing)} not found in KUBEBUILDER_ASSETS={folder}. Unset it to build them with Go. {_PROVIDE}"
        )
        raise MissingError(msg)
    return ControlPlanePrograms(*(folder / name for name in _PROGRAMS))


def control_plane_is_ready() -> bool:
    """Tell whether `control_plane` returns at once; the first build takes minutes."""
    return bool(os.environ.get("KUBEBUILDER_ASSETS")) or _control_plane_folder().is_dir()


def scheduler_is_ready() -> bool:
    """Tell whether `scheduler` returns at once."""
    return bool(os.environ.get("KUBEBUILDER_ASSETS")) or _folder_of("scheduler").is_dir()


def scheduler() -> Path:
    """Return kube-scheduler: from KUBEBUILDER_ASSETS if it is there, or built with Go, once.

    After the control plane's build, which it shares all but its own code with, that takes some 10 s.

    Raises:
        MissingError: Neither is possible here.

    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    found = Path(assets) / "kube-scheduler" if assets else None
    if found is not None and found.is_file():
        return found
    folder = _folder_of("scheduler")
    if not folder.is_dir():
        packages = {"kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler"}
        make_once(folder, _go_build(packages, CLUSTER, _kubernetes_stamp()))
    return folder / "kube-scheduler"


def kubectl() -> Path:
    """Return kubectl: from KUBEBUILDER_ASSETS or PATH if it is there, or built with Go, once.

    It is no part of the stand: only benchmarks are held against it. After the control plane's build that takes some
    2 min.

    Raises:
        MissingError: Neither is possible here.

    """
    places = filter(None, [os.environ.get("KUBEBUILDER_ASSETS"), os.environ.get("PATH")])
    found = shutil.which("kubectl", path=os.pathsep.join(places))
    if found is not None:
        return Path(found)
    folder = _folder_of("kubectl")
    if not folder.is_dir():
        sys.stderr.write(f"\nBuilding kubectl into {folder}, once (about 2 min).\n")
        packages = {"kubectl": "k8s.io/kubernetes/cmd/kubectl"}
        make_once(folder, _go_build(packages, CLUSTER, _kubernetes_stamp()))
    return folder / "kubectl"


def kaniko() -> Path:
    """Return Kaniko's executor, built with Go, once.

    Raises:
        MissingError: Go is missing, or the build failed.

    """
    folder = _kaniko_folder()
    if not folder.is_dir():
        release = _release_in(_KANIKO, "github.com/GoogleContainerTools/kaniko")
        stamp = f"-X github.com/GoogleContainerTools/kaniko/pkg/version.version={release}"
        packages = {"executor": "github.com/GoogleContainerTools/kaniko/cmd/executor"}
        # It puts the files of another system in the place of its own.
        build = _go_build(packages, _KANIKO, stamp, static=True)
        sys.stderr.write(f"\nBuilding Kaniko into {folder}, once (about 3 to 5 min).\n")
        make_once(folder, build)
    return folder / "executor"


def kaniko_is_ready() -> bool:
    """Tell whether `kaniko` returns at once; the first build takes minutes."""
    return _kaniko_folder().is_dir()


@dataclass(frozen=True)
class KwokFiles:
    """kwok and what it does with nodes and pods.

    Args:
        program: The program.
        stages: Its Stages, one file each.

    """

    program: Path
    stages: list[Path]

    def __str__(self) -> str:
        return str(self.program)


def kwok() -> KwokFiles:
    """Return kwok, built with Go, once: it imitates nodes, and pods on them that run no container.

    Raises:
        MissingError: Go is missing, or the build failed.

    """
    folder = _kwok_folder()
    if not folder.is_dir():
        stamp = f"-X sigs.k8s.io/kwok/pkg/consts.Version={_release_in(_KWOK, 'sigs.k8s.io/kwok')}"
        build = _go_build({"kwok": "sigs.k8s.io/kwok/cmd/kwok"}, _KWOK, stamp, least=_GO_OF_KWOK)

        def make(target: Path) -> None:
            build(target)
            _copy_kwok_stages(target)

        sys.stderr.write(f"\nBuilding kwok into {folder}, once (about 2 to 3 min).\n")
        make_once(folder, make)
    return KwokFiles(folder / "kwok", sorted((folder / "stages").glob("*.yaml")))


def kwok_is_ready() -> bool:
    """Tell whether `kwok` returns at once; the first build takes minutes."""
    return _kwok_folder().is_dir()


@dataclass(frozen=True)
class KServeFiles:
    """KServe's controller and what belongs into a cluster for it.

    Args:
        manager: The program.
        definitions: The CustomResourceDefinitions, one file each.
        settings: The ConfigMap inferenceservice-config.
        webhooks: The webhook configurations, several documents in one file.

    """

    manager: Path
    definitions: list[Path]
    settings: Path
    webhooks: Path

    def __str__(self) -> str:
        return str(self.manager)


def kserve() -> KServeFiles:
    """Return KServe's controller, built with Go, once; its objects are copied from its Go module then.

    Raises:
        MissingError: Go is missing, or the build failed.

    """
    folder = _kserve_folder()
    if not folder.is_dir():
        build = _go_build({"manager": f"{_KSERVE_MODULE}/cmd/manager"}, _KSERVE, "")

        def make(target: Path) -> None:
            build(target)
            _copy_kserve_objects(target)

        sys.stderr.write(f"\nBuilding KServe's controller into {folder}, once (about 3 to 5 min).\n")
        make_once(folder, make)
    definitions = sorted((folder / "crd").glob("*.yaml"))
    return KServeFiles(folder / "manager", definitions, folder / "settings.yaml", folder / "webhooks.yaml")


def kserve_is_ready() -> bool:
    """Tell whether `kserve` returns at once; the first build takes minutes."""
    return _kserve_folder().is_dir()


def azurite() -> tuple[Path, Path]:
    """Return Node and Azurite's script for blobs, installed with npm once.

    Raises:
        MissingError: Node or npm is not here, or npm failed.

    """
    node = program("node", f"Node {_NODE[0]} or newer")
    _require_version(node, ("--version",), _NODE, "Node")
    npm = program("npm", "npm")
    folder = cache() / AZURITE.replace("@", "-")

    def install(target: Path) -> None:
        # A package.json of its own, or npm would look for one in the folders above.
        (target / "package.json").write_text("{}\n")
        run([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", AZURITE], target)

    make_once(folder, install)
    return node, folder / "node_modules/azurite/dist/src/blob/main.js"


def registry() -> Path:
    """Return Docker's registry, as Debian packages it.

    Raises:
        MissingError: It is not installed.

    """
    return program("docker-registry", "Docker's registry (apt-get install docker-registry)")


def _built_control_plane() -> Path:
    folder = _control_plane_folder()
    if folder.is_dir():
        return folder
    packages = {name: f"k8s.io/kubernetes/cmd/{name}" for name in _PROGRAMS[1:]}
    build = _go_build({**packages, "etcd": "go.etcd.io/etcd/server/v3"}, CLUSTER, _kubernetes_stamp())
    sys.stderr.write(
        f"\nBuilding kube-apiserver, kube-controller-manager and etcd into {folder}, once (about 6 to 12 min).\n"
    )
    make_once(folder, build)
    return folder


def _control_plane_folder() -> Path:
    return _folder_of("control-plane")


def _kaniko_folder() -> Path:
    return _folder_of("kaniko", _KANIKO)


def _kwok_folder() -> Path:
    return _folder_of("kwok", _KWOK)


def _kserve_folder() -> Path:
    return _folder_of("kserve", _KSERVE)


def _module_folder(module: str, modules: Path) -> Path:
    """Return where Go has unpacked a module."""
    command = [program("go", "Go"), "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module]
    said = subprocess.run(command, cwd=modules, capture_output=True, text=True, timeout=300, check=True).stdout
    return Path(said.strip())


def _copy_kwok_stages(target: Path) -> None:
    source = _module_folder("sigs.k8s.io/kwok", _KWOK) / "kustomize" / "stage"
    (target / "stages").mkdir()
    for part in ("node/fast", "node/heartbeat-with-lease", "pod/fast"):
        for path in (source / part).glob("*.yaml"):
            if path.name != "kustomization.yaml":
                shutil.copyfile(path, target / "stages" / path.name)


def _copy_kserve_objects(target: Path) -> None:
    source = _module_folder(_KSERVE_MODULE, _KSERVE) / "config"
    (target / "crd").mkdir()
    for path in (source / "crd" / "full").glob("serving.kserve.io_*.yaml"):
        shutil.copyfile(path, target / "crd" / path.name)
    shutil.copyfile(source / "configmap" / "inferenceservice.yaml", target / "settings.yaml")
    shutil.copyfile(source / "webhook" / "manifests.yaml", target / "webhooks.yaml")


def _folder_of(what: str, modules: Path = CLUSTER) -> Path:
    content = b"".join((modules / name).read_bytes() for name in ("go.mod", "go.sum"))
    return cache() / f"{what}-{hashlib.sha256(content).hexdigest()[:16]}"


def _go_build(
    packages: Mapping[str, str], modules: Path, stamp: str, *, static: bool = False, least: tuple[int, ...] = _GO
) -> Callable[[Path], None]:
    """Return what builds programs into a folder.

    Args:
        packages: From the programs' names to packages.
        modules: The folder of the go.mod that has them.
        stamp: The linker's options that tell a program its version.
        static: Link to no library of this machine.
        least: The version of Go that it takes.

    """
    go = program("go", "Go {}.{} or newer, or KUBEBUILDER_ASSETS,".format(*least))
    _require_version(go, ("version",), least, "Go")
    command: list[str | Path] = ["env", "CGO_ENABLED=0", go] if static else [go]
    options = ["-trimpath", "-mod=readonly", "-buildvcs=false", f"-ldflags=-s -w {stamp}"]

    def build(target: Path) -> None:
        for name, package in packages.items():
            run([*command, "build", *options, "-o", target / name, package], modules)

    return build


def _kubernetes_stamp() -> str:
    return f"-X k8s.io/component-base/version.gitVersion={_release_in(CLUSTER, 'k8s.io/kubernetes')}"


def _release_in(modules: Path, module: str) -> str:
    found = re.search(rf"\s{re.escape(module)} (v\S+)", (modules / "go.mod").read_text())
    return found[1] if found else "v0.0.0"


def cache() -> Path:
    """Return the folder in which everything is kept that is made once."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "fairing-az-jupyter"


def make_once(folder: Path, make: Callable[[Path], None]) -> None:
    """Make a folder's content beside it and put it there whole; who comes second waits for the first."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(folder.name + ".lock")):
        if folder.is_dir():
            return
        unfinished = Path(tempfile.mkdtemp(prefix=folder.name + ".", dir=folder.parent))
        try:
            make(unfinished)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    import fcntl

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def program(name: str, what: str) -> Path:
    """Return a program of this machine, or raise what is needed."""
    # What tests/cluster/provide has fetched comes first: it did so because what is on PATH does not do.
    found = shutil.which(name, path=os.pathsep.join([str(cache() / "tools" / "bin"), os.environ.get("PATH", "")]))
    if found is None:
        msg = f"{what} is needed for the test stand and not on PATH. {_PROVIDE}"
        raise MissingError(msg)
    return Path(found)


def _require_version(program: Path, arguments: tuple[str, ...], least: tuple[int, ...], what: str) -> None:
    said = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30, check=False).stdout
    numbers = re.search(r"\d+(?:\.\d+)+", said)
    if numbers is None or tuple(int(part) for part in numbers[0].split(".")) < least:
        needed = ".".join(map(str, least))
        msg = f"{what} {needed} or newer is needed; {program} says {said.strip()!r}. {_PROVIDE}"
        raise MissingError(msg)


def run(command: Sequence[str | Path], folder: Path) -> None:
    """Run what makes something; where it fails, say what it said.

    Args:
        command: The program and its arguments.
        folder: Where to run it.

    Raises:
        MissingError: It failed.

    """
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, capture_output=True, text=True, timeout=3600, check=False
    )
    if done.returncode:
        words = " ".join(map(str, command[:2]))
        lines = "\n".join(f"  {line}" for line in (done.stdout + done.stderr).splitlines()[-25:])
        msg = f"'{words}' failed in {folder}:\n{lines}\n{_PROVIDE}"
        raise MissingError(msg)
