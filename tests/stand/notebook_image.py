"""An image in the place of Kubeflow's notebook server, and what builds on it and runs it: buildah.

It keeps what Kubeflow's images promise to those who build on them, and nothing else: user jovyan (1000) of the group
users (100), a Python environment of his own first on the PATH, JupyterLab of the release that Kubeflow 1.10 ships, and
a command that serves it below NB_PREFIX without asking for a password, as the mesh in front of it does that.
https://www.kubeflow.org/docs/components/notebooks/container-images/
It differs where a test has to: it listens on loopback only, on the port that STAND_PORT names.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .node.containers import write_settings
from .programs import binaries
from .programs.base_image import base_image

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STAND_IN = "localhost/stand/notebook-server:latest"
USER_ID, GROUP_ID = 1000, 100
HOME = "/home/jovyan"
_ENVIRONMENT = "/opt/conda"
_JUPYTERLAB = "jupyterlab==4.3.*"
_CONTAINERFILE = f"""\
ARG BASE
FROM ${{BASE}}
ENV NB_USER=jovyan NB_UID={USER_ID} NB_GID={GROUP_ID} NB_PREFIX=/ HOME={HOME} PATH={_ENVIRONMENT}/bin:$PATH
RUN useradd --create-home --no-user-group --uid $NB_UID --gid $NB_GID --home-dir $HOME $NB_USER \\
    && install -d -o $NB_UID -g $NB_GID {_ENVIRONMENT}
COPY --chmod=755 serve /usr/local/bin/serve
USER $NB_UID
RUN python3 -m venv {_ENVIRONMENT} && pip install --quiet --no-cache-dir {_JUPYTERLAB}
CMD ["/usr/local/bin/serve"]
"""
_SERVE = f"""\
#!/bin/sh
export JUPYTER_RUNTIME_DIR=/tmp/jupyter
cd "$HOME"
exec {_ENVIRONMENT}/bin/jupyter lab --no-browser --ip=127.0.0.1 --port="$STAND_PORT" \\
  --ServerApp.port_retries=0 --ServerApp.base_url="$NB_PREFIX" --IdentityProvider.token=
"""
_BUNDLE = "/run/index-ca.pem"
# Where a test's `pip` finds packages is this machine's affair; paths such as those of find-links are not the image's.
_PIP = ("index-url", "extra-index-url", "trusted-host", "default-timeout", "proxy")
_BUILD_SECONDS = 280


class BuildError(Exception):
    """buildah did not do what it was asked; the text is what it said."""


def stand_in() -> Path:
    """Return the image store with the stand-in, made once in the user's cache.

    Raises:
        MissingError: buildah is not here, or the packages can't be had.

    """
    if sys.platform != "linux" or os.geteuid() != 0:
        msg = "Building images needs Linux and root's rights. Run the tests in a container."
        raise binaries.MissingError(msg)
    for program in ("buildah", "unshare"):
        if shutil.which(program) is None:
            msg = f"{program} is needed to build images: apt-get install buildah util-linux"
            raise binaries.MissingError(msg)
    base = base_image()
    made_of = f"{base.name}\n{_CONTAINERFILE}\n{_SERVE}"
    folder = binaries.cache() / f"notebook-image-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}"

    def make(target: Path) -> None:
        sys.stderr.write(f"\nMaking the notebook image of the test stand in {target.parent}, once (about 1 min).\n")
        # As podman, buildah takes no long names for its run folder.
        with tempfile.TemporaryDirectory(prefix="image-") as name:
            work = Path(name)
            (work / "serve").write_text(_SERVE)
            (work / "Containerfile").write_text(_CONTAINERFILE)
            builder = Builder(work / "buildah", [])
            try:
                # A link: buildah makes a name of the path, and takes no hidden folder in it.
                (work / "base").symlink_to(base / "oci")
                source = builder.buildah("pull", "--quiet", f"oci:{work / 'base'}:base").strip()
                builder.build(work / "Containerfile", work, STAND_IN, {"BASE": source})
                builder.buildah("push", "--quiet", STAND_IN, f"oci:{work / 'oci'}:{STAND_IN}")
            except BuildError as error:
                raise binaries.MissingError(str(error)) from None
            finally:
                builder.close()
            kept = ["buildah", "--storage-driver=overlay", f"--root={target / 'store'}", f"--runroot={work / 'run'}"]
            binaries.run([*kept, "pull", "--quiet", f"oci:{work / 'oci'}:{STAND_IN}"], work)
            named = [*kept, "images", "--format={{.ID}}"]
            identity = subprocess.run(named, capture_output=True, text=True, check=True, timeout=60).stdout.split()[0]
            binaries.run([*kept, "tag", identity, STAND_IN], work)

    binaries.make_once(folder, make)
    return folder / "store"


class Builder:
    """buildah with a store of its own.

    Args:
        folder: For all that it writes.
        stores: Image stores that it only reads.

    """

    def __init__(self, folder: Path, stores: list[Path]) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "BUILDAH_ISOLATION": "chroot",
            **write_settings(folder, stores),
        }
        self._mounts = _package_mounts(folder)

    def buildah(self, *arguments: str, timeout: float = 120) -> str:
        """Run buildah and return what it printed.

        Raises:
            BuildError: It failed, or took too long.

        """
        try:
            done = subprocess.run(
                self.command(*arguments),
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            msg = f"buildah {arguments[0]} took longer than {timeout:g} s"
            raise BuildError(msg) from None
        if done.returncode:
            msg = f"buildah {arguments[0]} ended with {done.returncode}:\n{done.stdout}"
            raise BuildError(msg)
        return done.stdout

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs buildah with mounts and processes of its own: none outlives it."""
        own = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
        return ["unshare", *own, "buildah", *arguments]

    def build(self, dockerfile: Path, context: Path, name: str, arguments: Mapping[str, str]) -> str:
        """Build an image, with this machine's way to packages but nothing of it in the image, and return the output.

        Args:
            dockerfile: The Dockerfile.
            context: The folder that COPY copies from.
            name: What the image is to be called.
            arguments: Values of the Dockerfile's ARGs.

        Raises:
            BuildError: It can't be built.

        """
        given = [f"--build-arg={key}={value}" for key, value in arguments.items()]
        options = ["--pull-never", "--layers=false", "--format=docker", *self._mounts, *given]
        return self.buildah(
            "build", *options, f"--file={dockerfile}", f"--tag={name}", str(context), timeout=_BUILD_SECONDS
        )

    def settings(self, name: str) -> dict[str, Any]:
        """Return what an image says about its containers: User, Env, Cmd and so on."""
        found: dict[str, Any] = json.loads(self.buildah("inspect", "--type=image", name))
        return dict(found["Docker"]["config"])

    def container(self, name: str) -> str:
        """Make a container of an image, which is not started, and return its name."""
        return self.buildah("from", "--pull-never", name).strip().splitlines()[-1]

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _package_mounts(folder: Path) -> Sequence[str]:
    """Return buildah's options that let pip in a build find packages as pip does here."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, timeout=60, check=False
    ).stdout
    found = dict(line.split("=", 1) for line in listed.splitlines() if "=" in line)
    # The environment's come first in the list, and win.
    settings = {key.rpartition(".")[2]: value.strip("'\"") for key, value in reversed(found.items())}
    lines = [f"{key} = {settings[key]}" for key in _PIP if key in settings]
    bundle = settings.get("cert") or ssl.get_default_verify_paths().cafile
    mounts = []
    if bundle and Path(bundle).is_file():
        lines.append(f"cert = {_BUNDLE}")
        mounts.append(f"--volume={bundle}:{_BUNDLE}:ro")
    file = folder / "pip.conf"
    file.write_text("\n".join(["[global]", *lines, ""]))
    return [*mounts, f"--volume={file}:/etc/pip.conf:ro"]
