"""What a job in the cluster has raised is read where it can be, and nothing of that hides the job's own failure."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from fairing_az_jupyter.exceptions import CredentialError, JobFailedError
from fairing_az_jupyter.fairing.jobs import noted_errors
from fairing_az_jupyter.outputs.blobs import BlobPlace
from fairing_az_jupyter.records.errors import explained
from fairing_az_jupyter.settings import Settings

PLACE = BlobPlace("abs://account.blob.core.windows.net/fairing-az-jupyter/outputs/fairing-job-1/", Settings())
NOTED = {"type": "OddError", "module": "shop", "message": "no rows", "traceback": ["a", "b"]}


def failed(code="container-failed", returncode=1):
    return JobFailedError("Container 'model' failed.", code=code, returncode=returncode, last_lines=("loaded",))


@pytest.fixture
def launcher(monkeypatch):
    """A launcher whose Storage account has what a job has noted."""
    reads = []

    def read(_files, _url):
        reads.append(1)
        return SimpleNamespace(manifest=SimpleNamespace(error=NOTED))

    monkeypatch.setattr(noted_errors, "BlobOutputs", read)
    return SimpleNamespace(azure=SimpleNamespace(), reads=reads)


def test_what_was_raised_is_in_the_error_and_in_the_record(launcher):
    error = noted_errors.with_noted_error(failed(), "fairing-job-1", launcher, PLACE)

    assert (error.raised, error.traceback, error.code) == ("shop.OddError: no rows", ("a", "b"), "container-failed")
    assert error.message.startswith("Job 'fairing-job-1' failed with exit code 1. Its last lines:\n  | loaded")
    assert error.args == (error.message,)
    told = explained(error)
    assert (told["raised"], told["traceback"]) == ("shop.OddError: no rows", ("a", "b"))


@pytest.mark.parametrize("error", [failed(returncode=137), failed("oom-killed", 137), failed("image-not-found", None)])
def test_of_what_has_not_ended_by_itself_nothing_is_read(launcher, error):
    before = error.message

    assert noted_errors.with_noted_error(error, "fairing-job-1", launcher, PLACE).message == before
    assert noted_errors.with_noted_error(failed(), "fairing-job-1", launcher, None).raised == ""
    assert launcher.reads == []


def test_a_storage_account_that_rejects_or_hangs_hides_nothing(launcher, monkeypatch):
    def reject(_files, _url):
        raise CredentialError("The secret has expired.", service="blob")

    monkeypatch.setattr(noted_errors, "BlobOutputs", reject)
    error = noted_errors.with_noted_error(failed(), "fairing-job-1", launcher, PLACE)
    assert (error.message, error.raised) == ("Container 'model' failed.", "")

    monkeypatch.setattr(noted_errors, "BlobOutputs", lambda *_: time.sleep(5))
    began = time.monotonic()
    assert noted_errors.noted_error(launcher.azure, PLACE, seconds=0.1) is None
    assert time.monotonic() - began < 2
