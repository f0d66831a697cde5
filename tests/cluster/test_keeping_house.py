"""500 launches and 20 sweeps, pruned: home, registry and Blob Storage hold what is still named, and nothing else."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import time

import pytest
import requests
from azure.storage.blob import BlobServiceClient

from fairing_az_jupyter.clients.azure.blob.storage import OWNER
from fairing_az_jupyter.fairing.cluster import own_events
from fairing_az_jupyter.fairing.cluster.connections import Launcher
from fairing_az_jupyter.fairing.cluster.manifests import deployment, origin_labels
from fairing_az_jupyter.frontends.cli import main
from fairing_az_jupyter.models import Provenance, RunRequest
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.provenance.files import write_provenance
from fairing_az_jupyter.sweeps.plans import SweepPlan, SweepPoint, run_id
from fairing_az_jupyter.sweeps.store import SweepStore
from tests.clients.image_parts import OCI, put_manifest, sha
from tests.cluster.launches_scene import Place

pytestmark = pytest.mark.timeout(400)
CONTAINER = "fairing-az-jupyter"
LAUNCHES, KEPT, SWEEPS, POINTS, IMAGES = 500, 40, 20, 3, 24
RUNNING, SERVED, BUILT_ON = 7, 9, 5
"""Launches whose records go: the Job of the one is there, a Deployment runs the image of another."""


def launch_id(number):
    return f"20260901-{number:06d}.000-train-{number:04x}"


def job_of(number):
    return f"fairing-job-{number:08x}"


def tag_of(number):
    """The launches share images; those that are kept have others than the rest."""
    which = number % 4 if number >= LAUNCHES - KEPT else 4 + number % (IMAGES - 4)
    return hashlib.sha256(f"image {which}".encode()).hexdigest()[:32]


class House:
    """A user's home with many records, and what they name elsewhere, made of plain files, blobs and manifests."""

    def __init__(self, stand, setup, folder):
        self.stand, self.setup = stand, setup
        self.registry = f"{setup.login_server}/{setup.namespace}"
        self.store = RunStore(folder / "runs")
        self.store.path.mkdir()
        self.blobs: dict[str, dict[str, str] | None] = {}
        self.auth = (setup.client, setup.secret)

    def record(self, run, *, facts=(), **status):
        now = time.time()
        status = {"state": "succeeded", "created": now, "ended": now, "namespace": self.setup.namespace, **status}
        return self.store.create(RunRequest("train.ipynb", None), None, run=run, status=status, **dict(facts))

    def launches(self):
        for number in range(LAUNCHES):
            folder = self.record(launch_id(number), job=job_of(number))
            image = f"{self.registry}/fairing-job:{tag_of(number)}"
            write_provenance(folder, Provenance(backend="KubeflowAzureBackend", image=image, job=job_of(number)))
            if number % 2 or number == RUNNING - 1:
                for name in ("files.tar", "manifest.json"):
                    self.blobs[f"outputs/{job_of(number)}/{name}"] = None

    def sweeps(self):
        for number in range(SWEEPS):
            sweep = f"20260801-{number:06d}.000-sweep-{number:04x}"
            request = RunRequest("train.ipynb", None, {"depth": 1})
            points = tuple(SweepPoint(each, run_id(sweep, each), request) for each in range(1, POINTS + 1))
            SweepStore(self.store).create(SweepPlan(sweep, "train.ipynb", "grid", ("depth",), points), b"{}")
            job = f"fairing-job-5{number:07x}"
            self.blobs[f"runs/{job}/batch.json"] = None
            for point in points:
                if (number, point.number) == (0, POINTS):
                    continue  # the first sweep is not complete
                waits = {"state": "waiting", "launched": True} if (number, point.number) == (1, 1) else {}
                record = f"abs://x/{CONTAINER}/runs/{point.run}/"
                facts = {"sweep": sweep, "point": point.number}
                self.record(point.run, facts=facts, place="cluster", job=job, record=record, **waits)
                self.blobs[f"runs/{point.run}/status.json"] = None

    def others(self):
        owner = f"{self.setup.namespace}/tester"
        self.blobs |= {f"outputs/fairing-job-0ther{number}/files.tar": None for number in range(3)}
        self.blobs |= {"contexts/aa.tar.gz": {OWNER: owner}, "contexts/bb.tar.gz": {OWNER: "elsewhere/tester"}}

    def send(self):
        key = self.setup.account_key
        with BlobServiceClient(self.stand.blob.account_url(self.setup.account), credential=key) as service:
            client = service.create_container(CONTAINER)
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                put = lambda item: client.upload_blob(item[0], b"x" * 1000, metadata=item[1]).close()  # noqa: E731
                list(pool.map(put, self.blobs.items()))

    def blob_names(self):
        key = self.setup.account_key
        with BlobServiceClient(self.stand.blob.account_url(self.setup.account), credential=key) as service:
            return {blob.name for blob in service.get_container_client(CONTAINER).list_blobs()}

    def push(self):
        """Push the images: all have a base, and each a layer of its own; some are built on dependencies."""
        url, folder = f"https://{self.setup.login_server}", self.setup.namespace
        with requests.Session() as session:
            session.auth = self.auth

            def blob(repository, content):
                place = session.post(f"{url}/v2/{repository}/blobs/uploads/", timeout=20).headers["Location"]
                place = place if "://" in place else url + place
                mark = "&" if "?" in place else "?"
                session.put(f"{place}{mark}digest={sha(content)}", data=content, timeout=20).raise_for_status()
                return {"mediaType": OCI["layer"], "digest": sha(content), "size": len(content)}

            def image(repository, tag, *layers):
                config = {**blob(repository, json.dumps({"tag": tag}).encode()), "mediaType": OCI["config"]}
                content = {"schemaVersion": 2, "mediaType": OCI["manifest"], "config": config}
                content["layers"] = [blob(repository, layer) for layer in layers]
                put_manifest(url, repository, tag, content, OCI["manifest"], self.auth)

            base = b"base" * 250
            for number in range(LAUNCHES):
                tag = tag_of(number)
                if tag in {tag_of(each) for each in range(number)}:
                    continue
                packages = [b"packages kept"] if number == LAUNCHES - 1 else []
                packages = [b"packages"] if number == BUILT_ON else packages
                image(f"{folder}/fairing-job", tag, base, *packages, tag.encode() * 50)
            last = tag_of(LAUNCHES - 1)
            image(f"{folder}/fairing-job", last, base, b"packages kept", last.encode() * 50)
            image(f"{folder}/fairing-job", "c" * 32, base, b"somebody else's")
            image(f"{folder}/fairing-job", "my-own-tag", base, b"mine")
            for name, content in (("a", b"packages"), ("b", b"packages kept")):
                image(f"{folder}/fairing-dependencies-{name * 16}", name * 32, base, content)

    def tags(self, repository="fairing-job"):
        url = f"https://{self.setup.login_server}/v2/{self.setup.namespace}/{repository}/tags/list"
        answer = requests.get(url, auth=self.auth, timeout=20)
        return set(answer.json().get("tags") or ()) if answer.ok else set()


@pytest.fixture
def house(stand, namespace, tmp_path, monkeypatch):
    made = House(stand, stand.correct_setup(namespace), tmp_path)
    made.launches()
    made.sweeps()
    made.others()
    made.send()
    made.push()
    setup = made.setup
    given = {**setup.environment, **{name: value for name, value in setup.settings.items() if value}}
    for name in [name for name in given if name.startswith("KUBE")]:
        del given[name]
    given |= {"KUBECONFIG": str(setup.kubeconfig), "FAIRING_AZURE_RUNS": str(made.store.path)}
    given |= {"DOCKER_REGISTRY": made.registry, "NB_PREFIX": f"/notebook/{namespace}/tester"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def fairing_azure(capsys):
    def run(*words, code=0):
        capsys.readouterr()
        found = main(list(words))
        out, err = capsys.readouterr()
        assert found == code, out + err
        assert "Traceback" not in out + err
        return json.loads(out) if "--json" in words else out + err

    return run


def test_what_is_named_stays_and_nothing_else(house, fairing_azure, monkeypatch):
    place = Place(house.stand, house.setup, f"{house.registry}/fairing-job:{tag_of(SERVED)}")
    origin = origin_labels("train.ipynb", launch_id(RUNNING))
    running = place.job(job_of(RUNNING), labels=origin)
    target = place.launcher.target
    place.workloads.create(deployment("fairing-endpoint-1", place.pod("", ends=False), target))
    before = fairing_azure("sweep", "list", "--limit", "0", "--json")["sweeps"]
    assert {sweep["state"] for sweep in before} == {"done", "incomplete"}

    # Nothing is old enough, and records name nearly all of it.
    assert "Left out: 1 blob (1.0 kB) that no record names and that are not old enough" in fairing_azure(
        "runs", "prune", "--cluster", "--dry-run"
    )
    said = fairing_azure("runs", "prune", "--keep", str(KEPT))
    assert f"{LAUNCHES - KEPT + SWEEPS * POINTS - 2} records deleted." in said
    after = fairing_azure("sweep", "list", "--limit", "0", "--json")["sweeps"]
    assert [(each["sweep"], each["state"], each["counts"]) for each in after] == [
        (each["sweep"], each["state"], each["counts"]) for each in before
    ]

    blobs_that_nothing_names_go(house, fairing_azure)
    images_that_nothing_names_go(house, fairing_azure)

    assert fairing_azure("sweep", "prune", "--keep", "0").startswith(f"{SWEEPS - 2} sweeps with 0 records")
    assert len(fairing_azure("sweep", "list", "--json")["sweeps"]) == 2
    assert len(house.store.list()) == KEPT + 1
    the_cluster_tells_who_has_launched_what(place, running, fairing_azure, monkeypatch)


def blobs_that_nothing_names_go(house, fairing_azure):
    words = ("runs", "prune", "--cluster", "--older-than", "0s")
    dry = fairing_azure(*words, "--dry-run")
    assert "outputs/" in dry
    assert dry.endswith("Nothing was deleted: this was a dry run.\n")
    assert "nobody can be asked" in fairing_azure(*words, code=3)
    assert house.blob_names() == house.blobs.keys()
    kept_jobs = {job_of(number) for number in (*range(LAUNCHES - KEPT, LAUNCHES), RUNNING)}
    waiting = f"20260801-{1:06d}.000-sweep-{1:04x}"
    named = {name for name in house.blobs if name.split("/")[1] in {*kept_jobs, run_id(waiting, 1)}}
    named |= {"runs/fairing-job-50000001/batch.json"}
    others = {name for name in house.blobs if "0ther" in name or name.endswith("bb.tar.gz")}

    done = fairing_azure(*words, "--yes", "--json")

    assert house.blob_names() == named | others
    assert done["deleted"]["blobs"] == len(house.blobs) - len(named | others)
    assert done["deleted"]["size"] == 1000 * done["deleted"]["blobs"]
    assert done["others"]["blobs"] == len(others)
    assert "Nothing to delete" in fairing_azure(*words, "--yes")
    fairing_azure(*words, "--everyone", "--yes")
    assert house.blob_names() == named


def images_that_nothing_names_go(house, fairing_azure):
    words = ("cleanup", "--images", "--older-than", "0s")
    named = {tag_of(number) for number in (*range(LAUNCHES - KEPT, LAUNCHES), SERVED)}
    all_tags = house.tags()
    assert f"\n{len(all_tags - named) - 2 + 1} images in {house.registry}; " in fairing_azure(*words, "--dry-run")
    assert "that are not old enough" in fairing_azure("cleanup", "--images", "--dry-run")
    assert "Grant AcrDelete" in fairing_azure(*words, "--yes", code=6)
    assert house.tags() == all_tags
    house.stand.arm.assign(house.setup.oid, "AcrDelete", house.setup.registry)

    done = fairing_azure(*words, "--yes", "--json")

    assert house.tags() == named | {"c" * 32, "my-own-tag"}
    assert house.tags(f"fairing-dependencies-{'a' * 16}") == set()
    assert house.tags(f"fairing-dependencies-{'b' * 16}") == {"b" * 32}
    assert done["others"] == 1
    assert 0 < done["freed"] < sum(image["size"] for image in done["chosen"])
    fairing_azure(*words, "--everyone", "--yes")
    assert house.tags() == named | {"my-own-tag"}


def the_cluster_tells_who_has_launched_what(place, job, fairing_azure, monkeypatch):
    said = fairing_azure("status", "--everyone")
    assert f"Only namespace '{place.namespace}' could be looked at" in said
    assert job_of(RUNNING) in said
    own_events.emit_start(place.launcher, job)
    assert "FairingStarted" not in events_of(place)

    # As who looks after the whole cluster.
    monkeypatch.setenv("KUBECONFIG", str(place.stand.control_plane.admin_kubeconfig()))
    lines = fairing_azure("status", "--everyone").splitlines()
    assert lines[0].split() == ["NAMESPACE", "OWNER", "NAME", "KIND", "STATE", "CREATED", "NOTEBOOK", "RUN", "SWEEP"]
    (told,) = (line.split() for line in lines if job_of(RUNNING) in line)
    assert told[:5] == [place.namespace, "tester", job_of(RUNNING), "job", "pending"]
    assert told[6:] == ["train.ipynb", launch_id(RUNNING), "-"]
    with Launcher(place.launcher.settings, launches=False) as launcher:
        own_events.emit_start(launcher, job)
        own_events.emit_end(launcher, ("Job", job_of(RUNNING)), "Kept 3 files (12.4 MB).")
    events = events_of(place)
    assert events["FairingStarted"] == f"Launched by tester, notebook train.ipynb, record {launch_id(RUNNING)}."
    assert events["FairingEnded"] == "Kept 3 files (12.4 MB)."


def events_of(place):
    found = place.admin.get(f"/api/v1/namespaces/{place.namespace}/events")["items"]
    return {event["reason"]: event["message"] for event in found if event["involvedObject"]["name"] == job_of(RUNNING)}
