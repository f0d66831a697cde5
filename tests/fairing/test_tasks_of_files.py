"""A class of a Python file is the one that stands there now."""

from __future__ import annotations

import os

from fairing_az_jupyter.fairing.tasks.lookup import load_task


def test_file_that_was_changed_within_a_second_is_read_anew(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    file = tmp_path / "own.py"
    found = []
    for number in (1, 2):
        file.write_text(f"class Model:\n    def train(self):\n        return {number}\n")
        # What bytecode is held against: the size of the file, and the second it was changed in.
        os.utime(file, (1_700_000_000, 1_700_000_000))
        found.append(load_task(f"{file}:Model", "train")().train())

    assert found == [1, 2]
    assert [each.name for each in tmp_path.iterdir()] == ["own.py"]
