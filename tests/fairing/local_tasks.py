"""Tasks that the tests of LocalBackend launch, and what they look at afterwards."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cloudpickle
import numpy as np
import psutil
from kubeflow.fairing import TrainJob
from kubeflow.fairing.backends import LocalBackend

cloudpickle.register_pickle_by_value(sys.modules[__name__])


class Doubler:
    def train(self):
        print("training", Path.cwd().name)

    def predict(self, X, feature_names=None):
        return np.asarray(X).sum(axis=1) * 2


class Prefix:
    def train(self):
        pass

    def predict(self, X, feature_names=None):
        return [sys.prefix]


class NeverReady:
    def train(self):
        pass

    def load(self):
        time.sleep(60)

    def predict(self, X, feature_names=None):
        return X


class Broken:
    def __init__(self):
        msg = "the model file is damaged"
        raise RuntimeError(msg)

    def train(self):
        pass

    def predict(self, X, feature_names=None):
        return X


def submit(entry_point, input_files=(), **options):
    return TrainJob(entry_point, input_files=list(input_files), backend=LocalBackend(**options)).submit()


def hello():
    print("hello from a function")


def server_processes():
    mine = psutil.Process().children(recursive=True)
    return [process for process in mine if any("fairing_serving.py" in word for word in _words(process))]


def _words(process):
    """Return a process's command line; nothing of one that has ended, or that runs in a container of the test stand."""
    try:
        contained = Path(f"/proc/{process.pid}/ns/pid").readlink() != Path("/proc/self/ns/pid").readlink()
        return [] if contained else process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess, OSError):
        return []


def gone(pid, seconds=15):
    """Return whether a process has ended, or ends within some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False
