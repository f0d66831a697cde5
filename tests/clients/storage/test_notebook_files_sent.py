"""What a notebook has written arrives in Blob Storage, by links that its own pod makes; in a real Azurite."""

from __future__ import annotations

import ssl
import threading
import time

import pytest

from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import UnreachableError
from fairing_az_jupyter.runs.in_pod import Kept, WantedFiles
from fairing_az_jupyter.services.cluster_runs import pod
from fairing_az_jupyter.services.cluster_runs.pod import PodOutputs
from tests.clients.job_files_scene import CONTAINER
from tests.stand import refusals
from tests.stand.authority import Authority
from tests.stand.faults import Fault
from tests.stand.forwarding import Forwarder

ALL = WantedFiles(None, 10_000_000)


class Places:
    """Makes links as a pod's credential does; they lead through a proxy where there is one."""

    def __init__(self, store, via=""):
        self.store, self.via, self.made = store, via, 0
        self.problem = None

    def write_link(self, url, hours):
        self.made += 1
        if self.problem is not None:
            raise self.problem
        link = self.store.write_sas(CONTAINER, url, hours).reveal()
        return SecretValue(f"{self.via}/{link.partition('://')[2].partition('/')[2]}" if self.via else link)


@pytest.fixture
def keep(job, monkeypatch):
    """Return a function that keeps the files of the folder of a pod."""
    monkeypatch.setenv("SSL_CERT_FILE", job.environ["SSL_CERT_FILE"])

    def make(wanted=ALL, places=None, **options):
        return PodOutputs(places or Places(job.store), f"outputs/{job.launch}/", job.folder, wanted, **options)

    return make


def write(job, **files):
    for name, size in files.items():
        (job.folder / name).write_bytes(bytes(size))


def test_what_is_new_arrives_and_what_goes_beyond_the_limit_is_named_with_the_flag(job, keep, tmp_path):
    write(job, before=7)
    with keep(WantedFiles(("s*", "large"), 1000)) as outputs:
        write(job, small=10, second=20, large=2000, other=5)
        kept = outputs.finish(complete=True)

    assert job.arrived() == {"small": bytes(10), "second": bytes(20)}
    assert job.manifest()["complete"] is True
    assert (kept.files, kept.size, kept.is_whole) == (2, 30, True)
    assert "Not kept: large. To keep them, raise the limit: --outputs-limit 1Gi" in kept.note
    assert not list(tmp_path.rglob("*fairing-az-links*")), "the links have gone"


def test_files_that_rest_are_there_before_the_notebook_has_ended(job, keep):
    with keep(interval=0.1) as outputs:
        write(job, model=10)
        job.until(lambda: job.exists("manifest.json") and job.manifest()["files"])
        assert job.manifest()["complete"] is False
        assert outputs.finish(complete=False) == Kept(1, 10)

    assert job.manifest()["complete"] is False


def test_a_pod_that_gets_no_link_at_first_tries_again(job, keep, monkeypatch):
    monkeypatch.setattr(pod, "_AGAIN_SECONDS", 0.2)
    places = Places(job.store)
    places.problem = UnreachableError("No token: Entra ID can't be reached.")
    with keep(places=places) as outputs:
        write(job, model=10)
        threading.Timer(0.5, lambda: setattr(places, "problem", None)).start()
        assert outputs.finish(complete=True) == Kept(1, 10)

    assert places.made > 2


def test_links_are_renewed_as_long_as_the_notebook_runs(job, keep, monkeypatch):
    monkeypatch.setattr(pod, "_LINK_HOURS", 1 / 3600)
    places = Places(job.store)
    with keep(places=places):
        job.until(lambda: places.made >= 6, 10)


@pytest.fixture
def broken(job, blobs, bundle, tmp_path, monkeypatch):
    """A way to the blobs that answers 503."""
    authority = Authority(tmp_path)
    address, _, _ = blobs.rpartition("/")
    behind = Forwarder(address, ssl.create_default_context(cafile=bundle))
    fault = Fault(authority, behind, refusals.blob)
    fault.refuse(503, method="PUT")
    yield fault, str(authority.bundle)
    fault.close()
    behind.close()


@pytest.mark.parametrize("hurried", [False, True])
def test_files_that_can_not_be_sent_are_tried_for_a_while_and_then_listed(job, keep, broken, monkeypatch, hurried):
    fault, bundle = broken
    with keep(places=Places(job.store, via=fault.url), retry=1 if not hurried else 300) as outputs:
        monkeypatch.setenv("SSL_CERT_FILE", bundle)
        write(job, model=10, report=5)
        begun = time.monotonic()
        if hurried:
            outputs.hurry(1.0)
        kept = outputs.finish(complete=True)

    assert time.monotonic() - begun < 20
    assert outputs.hurried is hurried
    assert (kept.files, kept.is_whole) == (0, False)
    assert "could not be sent: HTTP 503" in kept.note
    assert "Not kept: model, report" in kept.note
    assert "sig=" not in kept.note
