"""What a job's last lines say about its failure, and what to do then."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.fairing.outcomes import job_failed


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("ModuleNotFoundError: No module named 'xgboost.sklearn'", "Add the package that has 'xgboost'"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'train.csv'", "add 'train.csv' there"),
        (
            f"RuntimeError: The Python version 3.11 mismatches {' ' * 27}with Python 3.12 in the local environment.",
            "docker.io/library/python:3.12-slim",
        ),
    ],
)
def test_the_cure_is_read_from_the_last_lines(line, fix):
    error = job_failed("fairing-job-1", 1, ["before", line], "see above.")

    assert fix in error.hint
    assert line in error.message


def test_files_that_could_not_be_sent_are_told_from_a_program_that_failed():
    line = "fairing-az-jupyter: The files of this job could not be sent: HTTP 503. Not kept: model.dat"

    sent, own = (job_failed("fairing-job-1", 75, [text], "see above.") for text in (line, "EX_TEMPFAIL"))

    assert "The program itself has succeeded" in sent.hint
    assert "fairing-azure check" in sent.hint
    assert "succeeded" not in own.hint
