"""The image that the containers of the test stand start from: Debian's Python 3.11, made once in the user's cache.

As `binaries`, it needs nothing but Python itself.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

from .binaries import cache, make_once, program, run

# What the base image is made of. bookworm's python3 is 3.11; as in the official image `python` is there, too, and pip
# installs where it is told to.
_SUITE = "bookworm"
# Each build unpacks the base image, and the builder looks at each of its files several times. What only Debian's own
# package manager runs on, and data that no program of a test reads, is half of the files and of the bytes.
_NOT_NEEDED = (
    "usr/lib/python3*/lib2to3",
    "usr/lib/python3*/test",
    "usr/lib/*-linux-gnu/gconv",
    "usr/lib/*-linux-gnu/perl*",
    "usr/lib/*-linux-gnu/libperl*",
    "usr/share/bash-completion",
    "usr/share/lintian",
    "usr/share/perl*",
    "usr/share/zoneinfo",
    "var/cache/*",
    "var/lib/apt/*",
    "var/lib/dpkg/info",
)
_TREE = (
    "--quiet",
    "--variant=minbase",
    "--include=python3,python3-pip,python3-venv,ca-certificates",
    '--aptopt=APT::Install-Recommends "false"',
    *(f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale", "info")),
    '--customize-hook=ln -s python3 "$1/usr/bin/python"; rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED',
    f'--customize-hook=cd "$1" && rm -rf {" ".join(_NOT_NEEDED)}',
)
_CHANGES = (
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV LANG=C.UTF-8",
    'CMD ["python3"]',
)


def base_image() -> Path:
    """Return the folder of an image with Debian's Python 3.11: `oci` to push from, `store` for podman to run from.

    Raises:
        MissingError: A program is missing, or Debian's packages can't be had.

    """
    for name in ("podman", "runc", "conmon", "mmdebstrap", "skopeo"):
        program(name, f"{name} (apt-get install {name})")
    folder = _folder()
    make_once(folder, _make)
    return folder


def base_image_is_ready() -> bool:
    """Tell whether `base_image` returns at once; making it takes minutes."""
    return _folder().is_dir()


def _folder() -> Path:
    made_of = "\n".join([_SUITE, *_TREE, *_CHANGES])
    return cache() / f"base-image-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}"


def _make(target: Path) -> None:
    sys.stderr.write(f"\nMaking the base image of the test stand's containers in {target.parent}, once (1 to 2 min).\n")
    # podman takes no run folder whose name is longer than 50 characters.
    work = Path(tempfile.mkdtemp(prefix="base-"))
    settings = work / "containers.conf"
    settings.write_text('[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\n')
    podman: list[str | Path] = ["env", f"CONTAINERS_CONF={settings}", "podman", "--storage-driver=overlay"]
    own = [*podman, f"--root={work / 'own'}", f"--runroot={work / 'run'}"]
    kept = [*podman, f"--root={target / 'store'}", f"--runroot={work / 'run2'}"]
    layout = "oci:oci:base"  # In the work folder: podman makes a name of the path, and takes no hidden folder in it.
    changes = [option for change in _CHANGES for option in ("--change", change)]
    name = "localhost/base:latest"
    try:
        run(["mmdebstrap", *_TREE, _SUITE, work / "base.tar"], work)
        run([*own, "import", "--quiet", *changes, work / "base.tar", name], work)
        run([*own, "push", "--quiet", name, layout], work)
        # Pulled from what will be pushed: so the store knows the layer by the digest that the registry will tell.
        run([*kept, "pull", "--quiet", layout], work)
        shutil.move(work / "oci", target / "oci")
    finally:
        shutil.rmtree(work, ignore_errors=True)
