"""A terminal whose user has a kubeconfig and deploys a model."""

from __future__ import annotations

import os
import subprocess
import sys

LEAVE_OUT = ("AZ_", "AZURE_", "ARM_", "DOCKER_", "FAIRING_", "KUBE", "NB_")


class Terminal:
    """A user who has a kubeconfig, a folder and a few settings in a profile's place: flags."""

    def __init__(self, workshop, home):
        self.workshop = workshop
        environ = {name: value for name, value in os.environ.items() if not name.startswith(LEAVE_OUT)}
        environ |= {name: value for name, value in workshop.setup.environment.items() if name[:4] != "KUBE"}
        environ |= {"KUBECONFIG": str(workshop.setup.kubeconfig), "HOME": str(home), "COLUMNS": "60"}
        self.environ = {**environ, "NB_PREFIX": f"/notebook/{workshop.namespace}/tester", "PYTHONIOENCODING": "ascii"}

    def start(self, *words):
        command = [sys.executable, "-m", "fairing_az_jupyter", *words]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env=self.environ, text=True, **pipes)

    def type(self, *words, code=0, seconds=280):
        with self.start(*words) as child:
            out, err = child.communicate(timeout=seconds)
        assert child.returncode == code, out + err
        assert "Traceback" not in out + err
        assert not [mark for mark in self.workshop.setup.marks if mark in out + err]
        return out, err

    def settings(self):
        own = {"BASE_IMAGE": self.workshop.base, "BUILDER_IMAGE": self.workshop.builder_image}
        given = {**self.workshop.setup.settings, **{f"FAIRING_{name}": value for name, value in own.items()}}
        small = {"FAIRING_BUILD_CPU": "100m", "FAIRING_CPU": "100m"}
        self.environ |= {name: str(value) for name, value in {**given, **small}.items()}
