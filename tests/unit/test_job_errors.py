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
