"""Fixtures of the tests that a user could do by hand: commands, magics, records."""

from __future__ import annotations

import os

import pytest

from fairing_az_jupyter.frontends import cli


@pytest.fixture
def fairing_azure(capsys):
    """Return a function that runs a command and returns its exit code, output and error output."""

    def run(*arguments):
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    before = dict(os.environ)
    yield run
    # `launch` hands settings on to its kernel by the environment.
    os.environ.clear()
    os.environ.update(before)
