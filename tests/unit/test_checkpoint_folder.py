"""The folder of a job's checkpoints: which one may be it, and what of it reaches the pod and the record."""

from __future__ import annotations

import pytest
from kubeflow.fairing.backends import KubeflowAzureBackend, LocalBackend

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.fairing.checkpoint_folder import checkpoint_folder
from fairing_az_jupyter.fairing.tasks.launching import TaskLaunch
from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.settings import Settings


@pytest.mark.parametrize(
    ("given", "expected"),
    [("ckpt/", "ckpt"), ("./a//b/", "a/b"), ("ä b", "ä b"), ("..ckpt", "..ckpt"), ("", ""), (None, "")],
)
def test_a_folder_below_the_working_folder_is_taken(given, expected):
    assert checkpoint_folder(given) == expected


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("/ckpt", "not relative"),
        ("~/ckpt", "not relative"),
        ("C:/ckpt", "not relative"),
        ("a/../../b", "leads out of it"),
        ("..", "leads out of it"),
        (".", "working folder itself"),
        ("./", "working folder itself"),
        ("a\\b", "separated by /"),
        ("a\nb", "control character"),
        (".fairing-az/x", "own"),
    ],
)
def test_another_folder_is_rejected_with_the_reason(given, why):
    with pytest.raises(InputError, match=why) as caught:
        checkpoint_folder(given)

    assert caught.value.code == "checkpoints"
    assert "ckpt/" in caught.value.hint


@pytest.mark.parametrize("backend", [LocalBackend, KubeflowAzureBackend])
def test_backends_reject_such_a_folder_when_they_are_made(backend):
    assert backend(checkpoints="ckpt/").checkpoints == "ckpt"
    with pytest.raises(InputError, match="leads out of it"):
        backend(checkpoints="../ckpt")


def test_the_command_says_what_is_wrong_with_a_folder_before_it_launches(fairing_azure, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "task.py").write_text("def work():\n    raise AssertionError\n")

    code, _, error = fairing_azure("train", "task.py:work", "--checkpoints", "../ckpt", "--backend", "LocalBackend")

    assert code == 3
    assert "The folder for checkpoints can't be '../ckpt'" in error


@pytest.mark.parametrize("name", ["LocalBackend", "KubeflowAzureBackend"])
def test_a_launch_hands_it_to_its_backend(name):
    assert TaskLaunch(Settings(backend=name), checkpoints="ckpt").backend().checkpoints == "ckpt"


def test_a_record_keeps_it_for_the_next_try_and_older_records_have_none():
    request = RunRequest("train.py", None, checkpoints="ckpt")

    assert RunRequest.from_dict(request.to_dict()).checkpoints == "ckpt"
    assert RunRequest.from_dict({"notebook": "train.py", "output": None}).checkpoints == ""
