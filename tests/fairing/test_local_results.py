"""What a class or function returns, or raises, on this machine is there for who has launched it."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest

from fairing_az_jupyter.exceptions import InputError, JobFailedError
from tests.fairing.local_tasks import submit

cloudpickle.register_pickle_by_value(sys.modules[__name__])
pytestmark = pytest.mark.kernel


class Fitted:
    def __init__(self, weight):
        self.weight = weight


class Model:
    def train(self):
        print("trained")
        return {"rmse": 0.25, "names": ["a", "ä"], "none": None}


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_train_returns_is_the_result_and_is_printed_as_before(in_folder, capfd):
    job = submit(Model)

    assert job.result == {"rmse": 0.25, "names": ["a", "ä"], "none": None}
    assert job.lines[-2:] == ("trained", "{'rmse': 0.25, 'names': ['a', 'ä'], 'none': None}")
    assert job.files.names == ()


def test_arrays_and_tables_come_as_they_were():
    table = pd.DataFrame({"x": [1.5, None], "day": pd.to_datetime(["2026-01-01", None], utc=True)})

    found = submit(lambda: table).result
    array = submit(lambda: np.arange(6, dtype=np.int16).reshape(2, 3)).result

    pd.testing.assert_frame_equal(found, table)
    assert array.dtype == np.int16
    assert array.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_nothing_returned_is_no_result():
    assert submit(lambda: None).result is None


def test_other_objects_are_read_by_the_launch_that_has_signed_them_and_by_no_other():
    job = submit(lambda: Fitted(3))

    assert job.result.weight == 3
    with pytest.raises(InputError, match="sign") as refused:
        _ = pickle.loads(pickle.dumps(job)).result  # noqa: S301 - our own
    assert refused.value.code == "result-signature"


def content_of(file):
    # What writes the record may still replace its files.
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def test_key_is_nowhere_once_the_job_has_ended(own_folders):
    job = submit(lambda: Fitted(3))

    key = job.outputs.key.reveal().encode()
    assert not [each for each in own_folders.rglob("*") if each.is_file() and key in content_of(each)]
    assert key.decode() not in repr(job.outputs) + str(vars(job.outputs))


def test_exception_is_told_with_its_type_message_and_traceback():
    def fail():
        Path("partial.dat").write_text("some")
        raise KeyError("no such column")

    with pytest.raises(JobFailedError) as caught:
        submit(fail)

    assert caught.value.raised == "KeyError: 'no such column'"
    assert caught.value.traceback[-1] == "KeyError: 'no such column'"
    assert any("in fail" in line for line in caught.value.traceback)
    assert "no such column" in str(caught.value)


def test_killed_job_has_neither():
    def die():
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(JobFailedError) as caught:
        submit(die)

    assert (caught.value.raised, caught.value.traceback) == ("", ())
