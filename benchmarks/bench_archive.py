"""Packing a build context: ours against Python's `tarfile.open(mode='w:gz')`, which is what Fairing 1.0.2 calls."""

from __future__ import annotations

import os
import shutil
import sysconfig
import tarfile
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from table import Row

from fairing_az_jupyter.fairing.context.collecting import collect, write_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZE = 200_000_000
ROUNDS = 2


def rows() -> list[Row]:
    """Measure time and size on the same files in the same run.

    Returns:
        A row for the time to pack and compress, and one for the size of the result.

    """
    with tempfile.TemporaryDirectory(prefix="bench-archive-") as temporary:
        folder = Path(temporary)
        _fill(folder / "app")
        ours, theirs = folder / "ours.tar.gz", folder / "theirs.tar.gz"
        our_times, their_times = [], []
        for _ in range(ROUNDS):  # alternating, so that a busy machine is as busy for both
            our_times.append(_seconds(lambda: write_archive(collect({"/app": folder / "app"}, folder), ours)))
            their_times.append(_seconds(lambda: _pack_with_tarfile(folder / "app", theirs)))
        against = "tarfile w:gz"
        name = f"pack {SIZE // 1_000_000} MB of source and binaries"
        return [
            Row(f"{name}: time", min(our_times), min(their_times), against, "s", promise=5, kind="speedup"),
            Row(f"{name}: size", _megabytes(ours), _megabytes(theirs), against, "MB", promise=1.1),
        ]


def _pack_with_tarfile(folder: Path, output: Path) -> None:
    with tarfile.open(output, "w:gz") as tar:
        tar.add(folder, "app")


def _fill(folder: Path) -> None:
    """Copy half of the bytes from the source files, half from the libraries that this Python has installed."""
    for suffix in (".py", ".so"):
        total = 0
        for number, path in enumerate(_installed(suffix)):
            if total >= SIZE // 2:
                break
            copy = folder / suffix[1:] / str(number % 100) / f"{number}-{path.name}"
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            total += copy.stat().st_size


def _installed(suffix: str) -> Iterator[Path]:
    """Yield the installed files that end so, the same ones in each run."""
    paths = sysconfig.get_paths()
    for base in dict.fromkeys((paths["purelib"], paths["platlib"], paths["stdlib"])):
        for folder, subfolders, names in os.walk(base):
            subfolders.sort()
            if Path(folder) == Path(paths["stdlib"]) and "site-packages" in subfolders:
                subfolders.remove("site-packages")
            yield from (Path(folder, name) for name in sorted(names) if name.endswith(suffix))


def _megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    for row in rows():
        print(f"{row.name}: {row.ours:.2f} {row.unit}, {row.against} {row.theirs:.2f} {row.unit}, {row.figure:.2f}x")
