"""docs/architecture.md names nothing that is not there."""

from __future__ import annotations

import configparser
import importlib
import re

import kubeflow.fairing  # noqa: F401 - the bridge's modules expect it loaded
import pytest

from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
PICTURE = PAGE.partition("```mermaid\n")[2].partition("\n```")[0]
FULL = sorted(set(re.findall(r"\bfairing_az_jupyter(?:\.\w+)+", PAGE)))
# In the picture names stand without the package's.
SHORT = sorted({f"fairing_az_jupyter.{name}" for name in re.findall(r"\b[a-z]\w*(?:\.\w+)+", PICTURE)})
PATHS = sorted({word for word in re.findall(r"`([\w./-]+)`", PAGE) if "/" in word or word.endswith(".cfg")})


def found(name):
    """Return what a dotted name stands for: a module, or something in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        module = ".".join(parts[:end])
        try:
            thing = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            continue
        for part in parts[end:]:
            thing = getattr(thing, part)
        return thing
    raise ModuleNotFoundError(name)


@pytest.mark.parametrize("name", sorted({*FULL, *SHORT}))
def test_every_name_on_the_page_exists(name):
    assert found(name) is not None


def test_the_picture_names_the_whole_way():
    assert len(SHORT) >= 10
    assert "fairing_az_jupyter.services.launches.train" in SHORT


@pytest.mark.parametrize("path", PATHS)
def test_every_path_on_the_page_exists(path):
    package = REPOSITORY / "fairing_az_jupyter"

    assert (REPOSITORY / path).exists() or (package / path).exists()


def test_the_table_of_folders_is_the_contract_of_layers():
    table = PAGE.partition("<!-- folders:")[2].partition("\n\n")[0]
    contracts = configparser.ConfigParser()
    contracts.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    layers = contracts["importlinter:contract:layers"]["layers"].split("\n")

    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", table, re.MULTILINE)
    shown = {(int(level), name) for level, name in rows}

    lines = [line for line in layers if line.strip()]
    assert shown == {(at, name.strip()) for at, line in enumerate(lines, start=1) for name in line.split("|")}


def test_a_folder_is_taken_in_at_a_glance_and_a_module_in_one_reading():
    package = REPOSITORY / "fairing_az_jupyter"
    folders = [package, *(path for path in package.rglob("*") if path.is_dir() and path.name != "__pycache__")]
    modules = {folder: [path for path in folder.glob("*.py") if path.name != "__init__.py"] for folder in folders}

    assert {folder.name: len(found) for folder, found in modules.items() if len(found) > 15} == {}
    lengths = {str(path): len(path.read_text().splitlines()) for found in modules.values() for path in found}
    assert {name: length for name, length in lengths.items() if length > 500} == {}
