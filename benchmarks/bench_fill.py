"""Filling a parameter in a large notebook, against reading and writing the same file with json."""

from __future__ import annotations

import json
import random
import tempfile
import time
from pathlib import Path

from table import Row

from fairing_az_jupyter.parameters import apply_fill, plan_fill

SIZE = 20_000_000
RUNS = 7
PROMISE = 1.5


def big_notebook(size: int) -> str:
    """Write a notebook of about `size` bytes: half of it pictures, half of it code and printed text."""
    chance = random.Random(7)  # noqa: S311 - data for a benchmark
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    picture = "".join(chance.choices(letters, k=76)) + "\n"
    parameters = ["FAIRING_BACKEND = 'LocalBackend'\n", "AZURE_REGION = None\n"]
    cells = [_cell(["import os\n"], []), _cell(parameters, [], tags=["parameters"])]
    written = 0
    while written < size:
        lines = [f"{number}\tvalue = {chance.random()} \u00e9\n" for number in range(200)]
        image = picture * chance.randrange(50, 150)
        outputs = [
            {"name": "stdout", "output_type": "stream", "text": lines},
            {"data": {"image/png": image}, "metadata": {}, "output_type": "display_data"},
        ]
        cells.append(_cell([f"plot({number})\n" for number in range(20)], outputs))
        written += len(json.dumps(cells[-1], indent=1, ensure_ascii=False).encode())
    return json.dumps(
        {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}, indent=1, ensure_ascii=False
    )


def rows() -> list[Row]:
    """Measure both, turn by turn, and keep the best run of each."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.ipynb"
        path.write_text(big_notebook(SIZE) + "\n", encoding="utf-8")
        ours, theirs = [], []
        for number in range(RUNS):
            start = time.perf_counter()
            apply_fill(path, plan_fill(path, {"AZURE_REGION": f"region{number}"}))
            ours.append(time.perf_counter() - start)
            start = time.perf_counter()
            with path.open(encoding="utf-8") as file:
                notebook = json.load(file)
            with path.open("w", encoding="utf-8") as file:
                json.dump(notebook, file, indent=1, ensure_ascii=False)
            theirs.append(time.perf_counter() - start)
    return [Row("fill a 20 MB notebook", min(ours), min(theirs), "json.load + json.dump", "s", PROMISE)]


def _cell(source: list[str], outputs: list[object], tags: list[str] | None = None) -> dict[str, object]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {"tags": tags} if tags else {},
        "outputs": outputs,
        "source": source,
    }


if __name__ == "__main__":
    for row in rows():
        print(f"{row.name}: {row.ours:.3f} {row.unit}, {row.against}: {row.theirs:.3f} {row.unit}, {row.figure:.2f}")
