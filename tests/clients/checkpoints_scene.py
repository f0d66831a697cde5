"""A training whose model is the sum of its rounds, with a checkpoint after every tenth of them, and its pods."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import shutil
import signal
import tarfile
from pathlib import Path

from fairing_az_jupyter.fairing import job_program
from fairing_az_jupyter.fairing.job_program.job import CONTAINER_FILES
from tests.clients.job_files_scene import CONTAINER, Job

# Prints each round that it does, so that a test sees which were done twice.
TRAINING = """
import hashlib, os, pickle, sys, time
ROUNDS, WAIT = {rounds}, {wait}
names = sorted(os.listdir("ckpt"), key=lambda name: int(name[6:])) if os.path.isdir("ckpt") else []
done, model = pickle.load(open("ckpt/" + names[-1], "rb")) if names else (0, b"")
print("begins with", done, flush=True)
while done < ROUNDS:
    done += 1
    model = hashlib.sha256(model + str(done).encode()).digest()
    print("round", done, flush=True)
    if done % 10 == 0:
        with open("ckpt/new.tmp", "wb") as file:
            pickle.dump((done, model), file)
        os.replace("ckpt/new.tmp", f"ckpt/round-{{done}}")
        for old in sorted(os.listdir("ckpt"), key=lambda name: int(name[6:]))[:-3]:
            os.remove("ckpt/" + old)
    time.sleep(WAIT)
open("model.dat", "wb").write(model)
"""


def model_of(rounds):
    """Return the model of an undisturbed training."""
    model = b""
    for done in range(1, rounds + 1):
        model = hashlib.sha256(model + str(done).encode()).digest()
    return model


@dataclasses.dataclass
class Pods:
    """The pods of one job, one after the other: each has a working folder of its own."""

    first: Job
    parent: Path
    number: int = 0

    def next(self, via=""):
        """Return the next pod."""
        self.number += 1
        folder = self.parent / f"pod-{self.number}"
        folder.mkdir()
        here = Path(job_program.__file__).parent
        for source, name in CONTAINER_FILES.items():
            shutil.copy(here / source, folder / name)
        pod = dataclasses.replace(self.first, folder=folder)
        self.link(via)
        return pod

    def link(self, via=""):
        """Give the job its link to its checkpoint."""
        self.first.link("checkpoints.tar", via=via, both=True)
        (self.first.links / "uid").write_text("uid-1")

    @property
    def client(self):
        name = f"outputs/{self.first.launch}/checkpoints.tar"
        return self.first.store._client().get_blob_client(CONTAINER, name)  # noqa: SLF001

    def saved(self):
        """Return the files of the checkpoint by path; nothing where there is none."""
        if not self.client.exists():
            return {}
        data = self.client.download_blob().readall()
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            first = archive.next()
            assert first.name == ".fairing-az/checkpoint.json"
            found = json.load(archive.extractfile(first))
        start = first.offset_data + -(-first.size // 512) * 512
        at = {each["path"]: (start + each["offset"], each) for each in found["files"]}
        files = {path: data[begin : begin + each["size"]] for path, (begin, each) in at.items()}
        assert all(hashlib.sha256(files[path]).hexdigest() == each["sha256"] for path, (_, each) in at.items())
        return files


def starting(pod, code, *options, interval=60, **more):
    """Start a program in a pod with a checkpoint folder."""
    return pod.start(code, "--checkpoints", "ckpt", *options, interval=interval, **more)


def rounds_in(output):
    """Return the rounds that a training has printed."""
    return [int(line.split()[1]) for line in output.splitlines() if line.startswith("round ")]


def until_round(process, number):
    """Read what a training prints until it has come so far; return that."""
    lines = []
    while rounds_in("".join(lines))[-1:] != [number]:
        lines.append(process.stdout.readline())
        assert lines[-1], lines
    return "".join(lines)


def lost_with_its_node(process):
    """End a pod as a node that is lost does: nobody is told."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for each in (process.pid, *map(int, children)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    return process.communicate(timeout=30)[0]
