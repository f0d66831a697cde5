"""The wheels of a requirements file, fetched once by pip, for builds that can ask the stand's index only."""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import sys
import zipfile
from typing import TYPE_CHECKING

from .programs import binaries

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = "3.11"
"""The Python of the base image: Debian's."""

_NAME = re.compile(r"[A-Za-z0-9._-]+")
# KServe takes any release from 23 on; the models of the newest are 74 MB of Python, which pip compiles in each build.
_ALSO = ("kubernetes",)
# The packages' own tests are a fifth of all Python in an image, and nothing runs them. What they share stays: some of
# it is imported elsewhere.
_TESTS = re.compile(r"/tests?/(.*/)?test_[^/]*\.py$")


def wheels_for(requirements: Path) -> Path:
    """Return a folder with wheels for the base image's Python, and for no other system than this one.

    What is installed here as well comes in the same version: the same model has to give the same numbers. The wheels
    are without the packages' own tests.

    Args:
        requirements: The requirements file.

    Raises:
        MissingError: The package index can't be asked.

    """
    pins = "".join(f"{line}\n" for line in sorted(_pins(requirements.read_text())))
    made_of = f"{PYTHON}\n{requirements.read_text()}\n{pins}\n{_TESTS.pattern}"
    folder = binaries.cache() / f"wheels-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}"

    def fetch(target: Path) -> None:
        sys.stderr.write(f"\nFetching the wheels of {requirements.name} into {folder}, once (about 140 MB).\n")
        constraints = target / "constraints.txt"
        constraints.write_text(pins)
        options = ["--quiet", "--disable-pip-version-check", "--only-binary=:all:", f"--python-version={PYTHON}"]
        command = [sys.executable, "-m", "pip", "download", *options, "-d", target, "-c", constraints]
        binaries.run([*command, "-r", requirements], target)
        for wheel in target.glob("*.whl"):
            _lighten(wheel)

    binaries.make_once(folder, fetch)
    return folder


def _pins(text: str) -> list[str]:
    pins = []
    for line in [*text.splitlines(), *_ALSO]:
        name = _NAME.match(line)
        if name is None:
            continue
        try:
            pins.append(f"{name[0]}=={importlib.metadata.version(name[0])}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return pins


def _lighten(wheel: Path) -> None:
    """Take the package's own tests out of a wheel."""
    with zipfile.ZipFile(wheel) as source:
        kept = [entry for entry in source.infolist() if not _TESTS.search(entry.filename)]
        if len(kept) == len(source.infolist()):
            return
        lighter = wheel.with_suffix(".lighter")
        with zipfile.ZipFile(lighter, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
            for entry in kept:
                content = source.read(entry)
                if entry.filename.endswith(".dist-info/RECORD"):
                    lines = content.decode().splitlines(keepends=True)
                    content = "".join(line for line in lines if not _TESTS.search(line.partition(",")[0])).encode()
                target.writestr(entry, content)
    lighter.replace(wheel)
