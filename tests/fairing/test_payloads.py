"""The same class gives the same pickle, whichever kernel it was defined in."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys

import cloudpickle
import pytest

from fairing_az_jupyter.fairing.upstream.pickling import dump, for_fairing

CELL = '''
import enum
LIMIT = 3
class Kind(enum.Enum):
    SMALL = 1
    LARGE = 2
class Base:
    kinds = ("b", "a")
    def known(self, name):
        return name in {"ridge", "lasso", "tree", "forest", 1, 2.5}
class Model(Base):
    """A model."""
    def __init__(self):
        self.limit = LIMIT
    def train(self, rows=[1, 2]):
        return [row for row in rows if row < self.limit and (lambda x: x in {"x", "y"})("x")]
    def kind(self):
        return Kind.SMALL
'''
SCRIPT = f"""
import hashlib, io, sys
from IPython.core.interactiveshell import InteractiveShell
from ipykernel.compiler import XCachingCompiler
from fairing_az_jupyter.fairing.upstream.pickling import dump
InteractiveShell.compiler_class = XCachingCompiler
shell = InteractiveShell()
for _ in range(int(sys.argv[1])):
    shell.run_cell("1 + 1", store_history=True)
shell.run_cell({CELL!r}, store_history=True)
buffer = io.BytesIO()
dump(shell.user_ns["Model"], buffer)
print(hashlib.sha256(buffer.getvalue()).hexdigest())
"""


def digest_in_a_new_kernel(tmp_path, seed, cells_before):
    environ = {**os.environ, "PYTHONHASHSEED": str(seed), "IPYTHONDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(cells_before)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def test_the_same_cell_gives_the_same_bytes_in_every_kernel(tmp_path):
    digests = {digest_in_a_new_kernel(tmp_path, seed, before) for seed, before in ((1, 0), (2, 3), (77, 1))}

    assert len(digests) == 1


MODULE = f"""
from __future__ import annotations
{CELL.strip()}
    WORDS = ("not an identifier", "b c", 1, 1.0, True)
    def predict(self, X: list[float | None], feature_names: dict[str, int] = None, *, how="not an identifier"):
        "Answer."
        def inner(row):
            return row, ("not an identifier", "b c"), 1, 1.0, True, WORD
        return [inner(row) for row in X]
WORD = "not an identifier"
"""
PICKLING = """
import cloudpickle, hashlib, io, own
from fairing_az_jupyter.fairing.upstream.pickling import dump
cloudpickle.register_pickle_by_value(own)
buffer = io.BytesIO()
dump(own.Model, buffer)
print(cloudpickle.loads(buffer.getvalue())().predict([5]), own.__cached__)
print(hashlib.sha256(buffer.getvalue()).hexdigest())
"""


def test_a_module_gives_the_same_bytes_compiled_and_read_from_its_bytecode(tmp_path, run_python):
    (tmp_path / "own.py").write_text(MODULE)
    kept = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path / "cache")}
    compiled, read = (run_python(PICKLING, **kept).stdout for _ in range(2))

    assert compiled.startswith("[(5, ('not an identifier', 'b c'), 1, 1.0, True, 'not an identifier')]")
    assert list((tmp_path / "cache").rglob("own.*.pyc"))
    assert compiled == read


@pytest.fixture
def namespace():
    names = {"__name__": "__main__"}
    exec(CELL, names)  # noqa: S102 - as a kernel does
    return names


def pickled(payload):
    buffer = io.BytesIO()
    dump(payload, buffer)
    return buffer.getvalue()


def test_what_was_written_does_what_the_class_does(namespace):
    model = cloudpickle.loads(pickled(namespace["Model"]))()

    assert model.train([1, 2, 3, 4]) == [1, 2]
    assert (model.known("tree"), model.known(2.5), model.known("svm")) == (True, True, False)
    assert model.kind().name == "SMALL"
    assert type(model).__doc__ == "A model."


def test_another_class_gives_other_bytes(namespace):
    changed = dict(namespace)
    exec(CELL.replace("row < self.limit", "row <= self.limit"), changed)  # noqa: S102 - as above

    assert pickled(namespace["Model"]) != pickled(changed["Model"])


def test_texts_that_look_like_ids_stay_what_they_are():
    text = hashlib.md5(b"x", usedforsecurity=False).hexdigest()
    names = {"__name__": "__main__"}
    exec(f"class Model:\n    checksum = {text!r}\n    def train(self):\n        return {text!r}", names)  # noqa: S102

    model = cloudpickle.loads(pickled(names["Model"]))

    assert (model.checksum, model().train()) == (text, text)


def test_the_users_own_class_is_not_touched(namespace):
    before = namespace["Model"].train.__code__
    pickled(namespace["Model"])

    assert namespace["Model"].train.__code__ is before


def test_fairing_finds_in_it_what_it_uses():
    from kubeflow.fairing.preprocessors import function

    assert for_fairing().__file__ == cloudpickle.__file__
    assert function.cloudpickle.dump is dump


@pytest.mark.parametrize("payload", [len, print, dict, hashlib.sha256])
def test_what_is_importable_is_pickled_by_its_name(payload):
    assert cloudpickle.loads(pickled(payload)) is payload
