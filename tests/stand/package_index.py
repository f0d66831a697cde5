"""A Python package index under a name of the stand, for builds that install packages.

Sources: https://packaging.python.org/specifications/simple-repository-api/ (the pages),
https://packaging.python.org/specifications/binary-distribution-format/ (the wheels that it makes).
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import zipfile
from typing import TYPE_CHECKING

from .faults import Fault
from .web import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .authority import Authority
    from .names import Names
    from .web import Request

_HOST = "packages.stand.test"
_PAGE = (("Content-Type", "text/html; charset=utf-8"),)
_FILE = (("Content-Type", "application/octet-stream"),)
_TIME = (2020, 1, 1, 0, 0, 0)  # The same content makes the same wheel.


class PackageIndex:
    """Serves a folder of wheels, from its making until `close`; `front` counts the calls and has the faults.

    Args:
        authority: Issues its certificate.
        names: Gets its name.
        folder: The wheels; others may be put there at any time.
        host: Its name.

    """

    def __init__(self, authority: Authority, names: Names, folder: Path, host: str = _HOST) -> None:
        self.folder, self.host = folder, host
        self.url = f"https://{host}/simple/"
        self.front = Fault(authority, self._answer, _refuse)
        self._names = names
        names.add(host, self.front.port)

    def add(self, name: str, version: str, files: Mapping[str, str], requires: Sequence[str] = ()) -> Path:
        """Make a wheel of pure Python in the folder and return it.

        Args:
            name: The distribution's name.
            version: Its version.
            files: Its modules and data, by their paths.
            requires: What it needs, such as `other>=1`.

        """
        stem = f"{_normalized(name).replace('-', '_')}-{version}"
        info = f"{stem}.dist-info"
        metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        metadata += [f"Requires-Dist: {need}" for need in requires]
        contents = {
            **files,
            f"{info}/METADATA": "\n".join([*metadata, ""]),
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: stand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        records = [f"{path},sha256={_record_digest(text)},{len(text.encode())}\n" for path, text in contents.items()]
        contents[f"{info}/RECORD"] = "".join([*records, f"{info}/RECORD,,\n"])
        wheel = self.folder / f"{stem}-py3-none-any.whl"
        unfinished = wheel.with_suffix(".new")
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, text in contents.items():
                entry = zipfile.ZipInfo(path, _TIME)
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, text)
        unfinished.replace(wheel)
        return wheel

    def close(self) -> None:
        """Take the name away and end the server; safe to repeat."""
        self._names.remove(self.host)
        self.front.close()

    def _answer(self, request: Request) -> Answer:
        if request.method not in {"GET", "HEAD"}:
            return _refuse(405, request, "", "an index is only read")
        wheels = {path.name: path for path in sorted(self.folder.glob("*.whl"))}
        kind, _, name = request.path.strip("/").partition("/")
        if kind == "files" and name in wheels:
            return Answer(200, wheels[name].read_bytes(), _FILE)
        if kind != "simple":
            return _refuse(404, request, "", "there are /simple/ and /files/ only")
        proper = f"/simple/{_normalized(name)}/" if name else "/simple/"
        if request.path != proper:
            return Answer(301, headers=(("Location", proper),))
        return _package(name, wheels) if name else _projects(wheels)


def _projects(wheels: Mapping[str, Path]) -> Answer:
    projects = sorted({_project(wheel) for wheel in wheels})
    return _page("Index", {f"/simple/{project}/": project for project in projects})


def _package(name: str, wheels: Mapping[str, Path]) -> Answer:
    links = {
        f"/files/{wheel}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}": wheel
        for wheel, path in wheels.items()
        if _project(wheel) == name
    }
    return _page(f"Links for {name}", links) if links else Answer(404, f"no package {name}\n".encode())


def _project(wheel: str) -> str:
    return _normalized(wheel.partition("-")[0])


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _record_digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _page(title: str, links: Mapping[str, str]) -> Answer:
    lines = [f'<a href="{html.escape(target)}">{html.escape(text)}</a><br>' for target, text in links.items()]
    page = f"<!DOCTYPE html><html><head><title>{html.escape(title)}</title></head><body>{''.join(lines)}</body></html>"
    return Answer(200, page.encode(), _PAGE)


def _refuse(status: int, _request: Request, _code: str, message: str) -> Answer:
    return Answer(status, f"{message}\n".encode())
