"""Launches on the test stand: a namespace with a launcher, and ways to put into it what launches leave."""

from __future__ import annotations

import contextlib
import os
import time

from fairing_az_jupyter.fairing.cluster.connections import Launcher
from fairing_az_jupyter.fairing.cluster.manifests import Placement, deployment, finished_pod, job, service
from fairing_az_jupyter.fairing.inventory import garbage, launches
from fairing_az_jupyter.settings import Settings, from_notebook

# Answers with the sum of each row, in Seldon's form.
SERVER = """
import http.server, json, os, signal, urllib.parse
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if "json" not in self.headers["Content-Type"]:
            body = urllib.parse.parse_qs(body)["json"][0]
        tensor = json.loads(body)["data"]["tensor"]
        rows, columns = tensor["shape"]
        values = tensor["values"]
        sums = [sum(values[row * columns:(row + 1) * columns]) for row in range(rows)]
        good = columns < 4
        self.send_response(200 if good else 400)
        self.end_headers()
        answer = {"data": {"ndarray": sums}} if good else {"message": "too many columns", "hint": "Send three."}
        self.wfile.write(json.dumps(answer).encode())
print("serving", flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Model).serve_forever()
"""
SMALL = Placement(cpu="50m", memory="64Mi")
FOREVER = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit()); print('on', flush=True); time.sleep(600)"


class Place:
    """A namespace with a launcher, and ways to put into it what launches leave."""

    def __init__(self, stand, setup, image="nowhere.invalid/x:1", *, owner="tester", in_cluster=False):
        self.stand, self.setup, self.image, self.namespace = stand, setup, image, setup.namespace
        self.admin = stand.control_plane.admin
        environ = {**os.environ, **setup.environment, "NB_PREFIX": f"/notebook/{self.namespace}/{owner}"}
        if not in_cluster:
            environ = {name: value for name, value in environ.items() if not name.startswith("KUBERNETES_")}
            environ["KUBECONFIG"] = str(setup.kubeconfig)
        settings = Settings(**{**from_notebook(setup.settings), "namespace": self.namespace})
        self.launcher = Launcher(settings, environ=environ, service_account_folder=setup.service_account)
        self.workloads = self.launcher.workloads

    def pod(self, code, *, ends=True):
        container = {"name": "model", "image": self.image, "command": ["python", "-uc", code]}
        spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
        return finished_pod(spec, self.launcher.target, SMALL, ends=ends)

    def job(self, name, code="", **more):
        return self.workloads.create(job(name, self.pod(code), self.launcher.target, **more))

    def endpoint(self, name, code=SERVER):
        pod = self.pod(code, ends=False)
        pod["containers"][0]["readinessProbe"] = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
        self.workloads.create(deployment(name, pod, self.launcher.target))
        self.workloads.create(service(name, self.launcher.target))

    def fairings(self, kind, labels, name, *, spec=None, code=""):
        """Make an object as Kubeflow Fairing 1.0.2 makes it."""
        pod = self.pod(code, ends=kind == "Job")
        template = {"metadata": {"labels": labels}, "spec": pod}
        known = {
            "Job": {"template": template, "backoffLimit": 0},
            "Deployment": {"selector": {"matchLabels": labels}, "template": template},
            "Service": {"selector": labels, "ports": [{"name": "serving", "port": 5000}]},
        }
        version = {"Job": "batch/v1", "Deployment": "apps/v1", "Service": "v1"}[kind]
        metadata = {"name": name, "namespace": self.namespace, "labels": labels}
        body = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec or known[kind]}
        return self.workloads.create(body)

    def secret(self, name, labels=None):
        body = {"metadata": {"name": name, "labels": labels or {}}, "stringData": {"key": "the-hidden-value"}}
        self.admin.post(f"/api/v1/namespaces/{self.namespace}/secrets", body)

    def end(self, **phases):
        """Let the pods of Jobs end, as a kubelet says it, and wait until the Jobs know."""
        wanted = {f"fairing-{name.replace('_', '-')}": phase for name, phase in phases.items()}
        ended, end = set(), time.monotonic() + 30
        while ended != set(wanted) or any(self.info(name).state in {"pending", "running"} for name in wanted):
            assert time.monotonic() < end, ended
            for pod in self.workloads.list("Pod"):
                name = pod["metadata"]["labels"].get("job-name")
                if name in wanted and name not in ended:
                    self.stand.control_plane.set_pod_phase(self.namespace, pod["metadata"]["name"], wanted[name])
                    ended.add(name)
            time.sleep(0.2)

    def info(self, name):
        return next((each.info for each in launches.find_launches(self.launcher) if each.info.name == name), None)

    def until(self, name, *states, seconds=40):
        end = time.monotonic() + seconds
        while (info := self.info(name)) is None or info.state not in states:
            assert time.monotonic() < end, info
            time.sleep(0.3)
        return info

    def names(self, kind):
        return {each["metadata"]["name"] for each in self.workloads.list(kind)}

    def found(self):
        return {(left.kind, left.name): left for left in garbage.find_orphans(self.launcher)[0]}


@contextlib.contextmanager
def opened(*arguments, **options):
    place = Place(*arguments, **options)
    with place.launcher:
        yield place
