"""A terminal shows the phases of a launch that take their time, as long as they take it."""

from __future__ import annotations

import io
import logging
import time

import pytest

from fairing_az_jupyter.frontends.terminal.progress import Progress
from fairing_az_jupyter.models import RunEvent


def event(when, name, value, message=None):
    return RunEvent("phase", when, name=name, value=value, message=message)


def shown(*events, pause=0.0):
    stream = io.StringIO()
    progress = Progress(stream)
    for each in events:
        progress.show(each)
        time.sleep(pause)
    return stream.getvalue()


def test_a_terminal_shows_a_phase_that_takes_its_time_with_how_long_it_took():
    assert shown(event(0, "build", "started"), event(12.34, "build", "finished")) == (
        "Build: started\nBuild: done in 12.3 s\n"
    )


def test_a_terminal_shows_nothing_of_a_short_phase():
    assert shown(event(0, "context", "started"), event(0.4, "context", "finished")) == ""


def test_a_terminal_shows_a_long_phase_while_it_goes_on():
    assert shown(event(0, "build", "started"), pause=1.5) == "Build: started\n"


def test_a_terminal_shows_what_was_skipped_or_has_failed_and_why():
    assert shown(
        event(0, "build", "skipped", "The image is there."),
        event(1, "run", "started"),
        event(1.1, "run", "failed", "Exit code 1."),
        event(2, "push", "skipped"),
    ) == ("Build: skipped: The image is there.\nRun: failed: Exit code 1.\nPush: skipped\n")


def test_a_phase_that_nobody_ends_is_not_shown_after_the_run():
    end = RunEvent("run-finished", 1.0, duration=1.0)

    assert shown(event(0, "build", "started"), end, RunEvent("output", 2.0, text="x\n"), pause=0.2) == (
        "Finished in 1.0 s.\n  | x\n"
    )


def test_a_closed_terminal_is_told_by_the_next_event(caplog):
    stream = io.StringIO()
    progress = Progress(stream)
    progress.show(event(0, "build", "started"))
    stream.close()
    with caplog.at_level(logging.DEBUG):
        time.sleep(1.0)

    with pytest.raises(ValueError, match="closed"):
        progress.show(event(5, "build", "finished"))
