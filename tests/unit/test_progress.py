"""What a run looks like in a terminal."""

from __future__ import annotations

import io

from fairing_az_jupyter.frontends.terminal.progress import Progress
from fairing_az_jupyter.models import RunEvent
from fairing_az_jupyter.runs.text import first_line


def shown(*events):
    stream = io.StringIO()
    progress = Progress(stream)
    for event in events:
        progress.show(event)
    return stream.getvalue()


def test_a_cell_is_shown_by_its_position_and_its_first_line():
    event = RunEvent("cell-started", 0.0, cell=3, cells=21, text="HousingServe().train()")

    assert shown(event) == "[ 3/21] HousingServe().train()\n"


def test_what_a_cell_prints_is_indented_and_starts_its_own_line():
    output = [RunEvent("output", 0.0, cell=1, cells=2, stream="stdout", text=text) for text in ("a", "b\nc")]

    assert shown(*output, RunEvent("run-finished", 0.0, duration=2.0)) == "  | ab\n  | c\nFinished in 2.0 s.\n"


def test_only_slow_cells_tell_their_duration():
    cells = [RunEvent("cell-finished", 0.0, cell=1, cells=2, duration=seconds) for seconds in (0.2, 12.34)]

    assert shown(*cells) == "[1/2] done in 12.3 s\n"


def test_a_failed_cell_tells_why():
    event = RunEvent("cell-failed", 0.0, cell=1, cells=2, message="ZeroDivisionError: division by zero")

    assert shown(event) == "[1/2] failed: ZeroDivisionError: division by zero\n"


def test_the_first_line_of_a_cell_passes_over_comments():
    assert first_line("\n# why\nx = 1\n") == "x = 1"
    assert first_line("# only this") == "# only this"
    assert first_line("") == ""
