"""What may be taken away in Blob Storage, in the registry and on this machine, and what a command says of it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
import types
from datetime import datetime, timedelta, timezone

import pytest

from fairing_az_jupyter import services
from fairing_az_jupyter.clients.azure.blob import files as blob_files
from fairing_az_jupyter.clients.azure.blob.transfers import FoundBlob
from fairing_az_jupyter.clients.oci import stored_images
from fairing_az_jupyter.clients.oci.stored_images import StoredImage
from fairing_az_jupyter.exceptions import InputError, NotAllowedError, ServiceError
from fairing_az_jupyter.fairing.inventory.in_use import InUse, in_use_of
from fairing_az_jupyter.folders import data_folder
from fairing_az_jupyter.frontends import cli
from fairing_az_jupyter.models import Provenance, RunRequest
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.provenance.files import write_provenance
from fairing_az_jupyter.records.provenance.named import Named, named_by_deleted, named_by_records
from fairing_az_jupyter.records.pruning import prune
from fairing_az_jupyter.services.keeping import blobs, images
from fairing_az_jupyter.services.keeping.names import Known
from fairing_az_jupyter.services.session import Session
from fairing_az_jupyter.settings import Settings
from fairing_az_jupyter.sweeps.plans import SweepPlan, SweepPoint, run_id
from fairing_az_jupyter.sweeps.store import SweepStore

DAY = 86_400.0
REGISTRY = "contosoml.azurecr.io/team"
JOB = "fairing-job-1a2b3c4d"
NOTHING = Known(Named(), Named(), InUse())


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("FAIRING_AZURE_RUNS", str(tmp_path / "runs"))
    return RunStore(tmp_path / "runs")


def record(store, run, state="succeeded", *, made=None, facts=(), **status):
    said = {"state": state, **({"ended": time.time()} if state != "running" else {}), **status}
    folder = store.create(RunRequest("a.ipynb", None), None, run=run, status=said, **dict(facts))
    if made is not None:
        write_provenance(folder, Provenance(backend="KubeflowAzureBackend", **made))
    return folder


# Records


def test_a_deleted_record_leaves_what_it_named_and_no_parameter(store):
    record(store, "r1", job=JOB, namespace="team-a", made={"image": f"{REGISTRY}/fairing-job:1", "image_digest": "d"})
    record(store, "r2", place="cluster", job="j", record="abs://x/c/runs/r2/", outputs="abs://x/c/outputs/o1/")
    record(store, "here")
    assert named_by_records(store).folders.keys() == {"r1", JOB, "r2", "j", "o1", "here"}

    prune(store, keep=0)

    left = named_by_deleted(store)
    assert left.folders.keys() == {"r1", JOB, "r2", "j", "o1"}
    assert (set(left.images), set(left.digests)) == ({f"{REGISTRY}/fairing-job:1"}, {"d"})
    assert named_by_records(store) == Named()
    assert store.list() == []
    assert not {"a.ipynb", "parameters"} & set((store.path / "deleted.jsonl").read_text().split('"'))


def test_a_record_that_can_not_be_read_stops_it_and_is_named(store):
    (record(store, "r1") / "status.json").write_text("{half")

    with pytest.raises(InputError, match="'r1' can't be read") as caught:
        named_by_records(store)

    assert "rm -r" in caught.value.hint


def test_a_launch_that_has_not_named_its_image_yet_is_known_for_one(store):
    record(store, "r1", "running", process="", made={})
    record(store, "r2", "running", process="", made={"image": "x"})
    record(store, "r3", "running", process="", place="cluster", launched=True)

    assert named_by_records(store).beginning == ("r1",)


# What is running


def test_what_objects_name_is_found_wherever_it_stands():
    pod = {"kind": "Pod", "metadata": {"name": "p", "labels": {"job-name": JOB, "fairing-az-jupyter/sweep": "s1"}}}
    pod["spec"] = {"initContainers": [{"image": "a/b:1"}], "containers": [{"image": "a/c:2"}]}
    pod["status"] = {"containerStatuses": [{"imageID": "docker-pullable://a/c@sha256:12"}]}

    found = in_use_of([pod])

    assert found.images == {"a/b:1", "a/c:2", "a/c@sha256:12"}
    assert all(found.has(name) for name in (JOB, "s1", "s1-0007", "p"))
    assert not found.has("s2-0007")
    assert in_use_of([{"metadata": {"name": "b", "labels": {"fairing-az-jupyter/kind": "build"}}}]).builds


# Blob Storage


class Files:
    """Blobs in memory; each call of a list of failures fails in its turn."""

    def __init__(self, found, failures=()):
        self.found, self.failures, self.batches = list(found), list(failures), []

    def close(self):
        pass

    def pages(self, url):
        kind = url.rstrip("/").rpartition("/")[2]
        some = sorted((blob for blob in self.found if blob.name.startswith(f"{kind}/")), key=lambda blob: blob.name)
        for start in range(0, len(some), 5000):
            yield some[start : start + 5000]

    def delete_many(self, _url, some):
        self.batches.append(len(some))
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, Exception):
            raise failure
        gone = {blob.name for blob in some} - (failure or {}).keys()
        self.found = [blob for blob in self.found if blob.name not in gone]
        return failure or {}


def blob(name, *, days=60.0, size=10, owner=""):
    return FoundBlob(f"abs://x/{name}", name, size, datetime.now(timezone.utc) - timedelta(days=days), owner)


def of_home(*folders):
    return dataclasses.replace(NOTHING, deleted=Named(folders=dict.fromkeys(folders, 1.0)))


@pytest.fixture
def storage(monkeypatch):
    """Return a function that prunes blobs of a storage account that is in memory."""
    cloud = types.SimpleNamespace(blob_url=lambda name: f"https://{name}.blob.core.windows.net")
    settings = Settings(azure_storage_account="contosomldata")
    azure = types.SimpleNamespace(cloud=cloud)
    launcher = types.SimpleNamespace(settings=settings, azure=azure, sender="team-a/me")
    monkeypatch.setattr(blobs, "looked_at", lambda _session: contextlib.nullcontext(launcher))

    def pruned(files, known, **options):
        monkeypatch.setattr(blob_files, "BlobFiles", lambda _azure: files)
        monkeypatch.setattr(blobs, "known", lambda *_: known)
        return services.prune_blobs(Session(), agree=lambda _found: True, **options)

    return pruned


def left(files):
    return sorted(found.name for found in files.found)


def test_a_folder_goes_as_a_whole_when_its_newest_blob_is_old_and_it_was_this_homes(storage):
    files = Files(
        [
            *(blob(f"outputs/{JOB}/{name}") for name in ("files.tar", "manifest.json")),
            blob("outputs/fairing-job-2/files.tar"),
            blob("outputs/fairing-job-2/manifest.json", days=1),
            blob("outputs/fairing-job-3/files.tar"),
            blob("contexts/aa.tar.gz", owner="team-a/me"),
            blob("contexts/bb.tar.gz", owner="team-b/me"),
        ]
    )

    done = storage(files, of_home(JOB, "fairing-job-2"), older_than=30 * DAY)

    assert left(files) == [
        "contexts/bb.tar.gz",
        "outputs/fairing-job-2/files.tar",
        "outputs/fairing-job-2/manifest.json",
        "outputs/fairing-job-3/files.tar",
    ]
    assert (done.deleted.blobs, done.young.blobs, done.others.blobs) == (3, 2, 2)
    storage(files, of_home(JOB), older_than=30 * DAY, everyone=True)
    assert left(files) == ["outputs/fairing-job-2/files.tar", "outputs/fairing-job-2/manifest.json"]


def test_contexts_stay_while_something_is_being_built(storage):
    files = Files([blob("contexts/aa.tar.gz", owner="team-a/me"), blob("runs/r1/status.json")])

    done = storage(files, dataclasses.replace(of_home("r1"), running=InUse(builds=True)))

    assert left(files) == ["contexts/aa.tar.gz"]
    assert "build contexts are left alone" in done.note


def test_ten_thousand_blobs_go_by_the_thousand_and_what_fails_does_not_keep_the_others(storage):
    folders = [f"fairing-job-{number:04d}" for number in range(5000)]
    found = [blob(f"outputs/{folder}/{name}") for folder in folders for name in ("files.tar", "manifest.json")]
    lost = ServiceError("Azure is not available.", hint="", service="blob")
    changed = {
        f"outputs/{folders[1]}/files.tar": "ConditionNotMet",
        f"outputs/{folders[2]}/files.tar": "LeaseIdMissing",
    }
    files = Files(found, [changed, lost])

    done = storage(files, of_home(*folders))

    assert max(files.batches) <= 1024
    assert (done.deleted.blobs, done.changed, done.failed) == (10_000 - 1024 - 2, 1, 1024 + 1)
    assert len(done.problems) == 20
    again = storage(files, of_home(*folders))
    assert (again.deleted.blobs, again.failed, left(files)) == (1026, 0, [])


def test_two_failures_in_a_row_end_it_and_say_how_far_it_came(storage):
    folders = [f"fairing-job-{number:04d}" for number in range(5000)]
    lost = ServiceError("Azure is not available.", hint="", service="blob")
    files = Files([blob(f"outputs/{folder}/files.tar") for folder in folders], [None, lost, lost])

    with pytest.raises(ServiceError, match="1024 blobs were deleted before"):
        storage(files, of_home(*folders))


# The registry


class Images:
    """A registry in memory."""

    def __init__(self, found, *, fails=(), lists=True):
        self.host, self.found, self.fails, self.lists = "contosoml.azurecr.io", list(found), dict(fails), lists

    def repositories(self, wanted):
        if not self.lists:
            raise NotAllowedError("This identity may not list.", hint="Grant it.", service="registry")
        return sorted({image.repository for image in self.found if wanted(image.repository)})

    def images(self, repository):
        return [image for image in self.found if image.repository == repository]

    def delete(self, image):
        if image.tags[0] in self.fails:
            raise self.fails[image.tags[0]]
        self.found.remove(image)
        return True


def image(tag, *layers, repository="team/fairing-job", pushed=None, digest="", more=()):
    sizes = {f"sha256:{name}": 100 for name in (*layers, f"config of {repository} {tag}")}
    own = frozenset(f"sha256:{name}" for name in layers)
    return StoredImage(repository, digest or f"sha256:{2 * tag}", (tag, *more), sizes, own, pushed)


def tag(letter):
    return letter * 32


def own_images(*letters, days=60.0):
    names = {f"{REGISTRY}/fairing-job:{tag(letter)}": time.time() - days * DAY for letter in letters}
    return dataclasses.replace(NOTHING, deleted=Named(images=names))


@pytest.fixture
def registry(monkeypatch):
    """Return a function that prunes images of a registry that is in memory."""
    settings = Settings(docker_registry=REGISTRY)
    launcher = types.SimpleNamespace(settings=settings, registry=lambda host: host)
    monkeypatch.setattr(images, "looked_at", lambda _session: contextlib.nullcontext(launcher))

    def pruned(found, known, **options):
        monkeypatch.setattr(stored_images, "StoredImages", lambda _registry: found)
        monkeypatch.setattr(images, "known", lambda *_: known)
        return services.prune_images(Session(), agree=lambda _found: True, **options)

    return pruned


def names(found):
    return sorted(each.name for each in found.found)


def test_an_image_goes_that_only_deleted_records_named_and_no_pod_by_tag_or_digest(registry):
    found = Images(
        [
            image(tag("a"), "base", "1"),
            image(tag("b"), "base", "2"),
            image(tag("c"), "base", "3"),
            image(tag("d"), "base", "4", more=("prod",)),
            image(tag("e"), "base", "5"),
        ]
    )
    running = InUse(
        images=frozenset({f"{REGISTRY}/fairing-job:{tag('b')}", f"x@sha256:{2 * tag('c')}", "not an image!"})
    )
    known = dataclasses.replace(own_images(*"abcd"), running=running)

    done = registry(found, known)

    assert names(found) == [f"team/fairing-job:{tag(letter)}" for letter in "bcde"]
    # Its own layer and its configuration; the base is in others, too.
    assert (done.freed, done.others) == (200, 1)


def test_an_image_that_was_of_use_lately_or_is_of_unknown_age_stays(registry):
    pushed = time.time() - 40 * DAY
    found = Images([image(tag("a"), "1"), image(tag("b"), "2", pushed=pushed), image(tag("c"), "3")])

    done = registry(found, own_images("a", days=10), everyone=True)
    assert (names(found), done.young) == ([f"team/fairing-job:{tag(letter)}" for letter in "ac"], 2)

    registry(found, own_images("a", days=10), everyone=True, older_than=0.0)
    assert names(found) == []


def test_an_image_with_packages_goes_with_the_last_one_that_is_built_on_it(registry):
    packages = f"team/fairing-dependencies-{'1' * 16}"
    base = image(tag("f"), "base", "packages", repository=packages)
    found = Images([base, image(tag("a"), "base", "packages", "1"), image(tag("b"), "base", "packages", "2")])

    registry(found, own_images("a"))
    assert names(found) == [f"{packages}:{tag('f')}", f"team/fairing-job:{tag('b')}"]

    registry(found, own_images("a", "b"))
    assert names(found) == []


def test_nothing_goes_while_a_launch_begins(registry):
    found = Images([image(tag("a"), "1")])

    done = registry(found, dataclasses.replace(own_images("a"), records=Named(beginning=("r1",))))

    assert (len(found.found), done.chosen) == (1, ())
    assert "images are left alone" in done.note


def test_a_locked_image_does_not_keep_the_others_and_a_missing_right_ends_it(registry):
    locked = NotAllowedError("It is locked.", hint="Unlock it.", code="delete-off", service="registry")
    found = Images([image(tag("a"), "1"), image(tag("b"), "2")], fails={tag("a"): locked}, lists=False)

    done = registry(found, own_images("a", "b"))

    assert [(each.outcome, "Unlock" in each.problem) for each in done.chosen] == [("failed", True), ("deleted", False)]
    assert "Images with dependencies were not looked at" in done.note
    found.fails[tag("a")] = NotAllowedError(
        "No.", hint="Grant AcrDelete.", code="not-allowed-delete", service="registry"
    )
    with pytest.raises(NotAllowedError):
        registry(found, own_images("a"))


# Sweeps


def sweep_of(store, name, *, points=2, state="succeeded", days=0.0):
    request = RunRequest("a.ipynb", None, {"depth": 1})
    planned = tuple(SweepPoint(each, run_id(name, each), request) for each in range(1, points + 1))
    SweepStore(store).create(SweepPlan(name, "a.ipynb", "grid", ("depth",), planned), b"{}")
    for point in planned:
        ended = time.time() - days * DAY
        record(store, point.run, state, facts={"sweep": name, "point": point.number}, ended=ended)


def test_sweeps_are_deleted_with_their_records_and_no_other(store, capsys):
    for name, days in (("s1", 40), ("s2", 20), ("s3", 0)):
        sweep_of(store, name, days=days)
    sweep_of(store, "s4", state="lost")
    record(store, "r1")
    session = Session()

    assert cli.main(["sweep", "prune"]) == 3
    capsys.readouterr()
    assert cli.main(["sweep", "prune", "--older-than", "30d", "--dry-run", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == {"deleted": ["s1"], "records": 2, "failed": [], "dry_run": True}
    assert cli.main(["sweep", "prune", "--keep", "1"]) == 0
    assert capsys.readouterr().out == "2 sweeps with 4 records of runs deleted.\n"
    assert {table.sweep: table.state for table in services.list_sweeps(session)} == {"s3": "done", "s4": "incomplete"}

    assert cli.main(["sweep", "delete", "s4", "s3"]) == 0
    assert [info.id for info in store.list()] == ["r1"]
    assert services.list_sweeps(session) == []


def test_a_sweep_that_is_worked_on_is_not_deleted_nor_one_that_was_named_with_it(store, capsys):
    sweep_of(store, "s1")
    sweep_of(store, "s2", state="running")
    with SweepStore(store).at_work("s1"):
        assert cli.main(["sweep", "delete", "s1"]) == 3
        assert cli.main(["sweep", "prune", "--keep", "0"]) == 0
    assert "a process executes it" in capsys.readouterr().err
    for info in store.list(sweep="s2"):
        store.note(info.id, {"place": "cluster", "job": JOB})

    assert cli.main(["sweep", "delete", "s1", "s2"]) == 3

    assert f"2 of its runs have not ended in the cluster (Job '{JOB}')" in capsys.readouterr().err
    assert len(services.list_sweeps(Session())) == 2


# Environments


def environment(name, days):
    folder = data_folder("environments") / (name * 24)
    (folder / "bin").mkdir(parents=True)
    (folder / "complete").touch()
    (folder / "bin" / "python").write_bytes(b"x" * 1000)
    os.utime(folder / "complete", (time.time() - days * DAY,) * 2)
    return folder


def test_environments_go_that_nobody_has_used_for_long(store, capsys, monkeypatch):
    old, new, used = environment("a", 40), environment("b", 10), environment("c", 40)
    running = types.SimpleNamespace(cmdline=lambda: [str(used / "bin" / "python"), "-c", "pass"])
    monkeypatch.setattr("psutil.process_iter", lambda: iter([running]))
    record(store, "r1")

    assert cli.main(["runs", "prune", "--keep", "5", "--dry-run"]) == 0
    assert "1 unused environment (1.0 kB) would be deleted." in capsys.readouterr().out
    assert old.exists()
    assert cli.main(["runs", "prune", "--keep", "5"]) == 0

    assert [folder.exists() for folder in (old, new, used)] == [False, True, True]
    assert len(store.list()) == 1


# Commands


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("runs prune --cluster --state failed", "Delete the records first"),
        ("runs prune --everyone --keep 3", "Add --cluster"),
        ("runs prune --cluster --json", "nobody can be asked"),
        ("runs prune --cluster --yes --backend LocalBackend", "They leave nothing in the cluster"),
        ("cleanup --older-than 3d", "Add --images"),
        ("cleanup --images --json", "nobody can be asked"),
        ("cleanup --images --yes --backend LocalBackend", "They leave nothing in the cluster"),
    ],
)
def test_what_can_not_be_meant_is_said(store, capsys, words, said):
    assert store.list() == []

    assert cli.main(words.split()) == 3

    out, err = capsys.readouterr()
    assert said in out + err


def test_sizes_are_shown_before_the_question(monkeypatch, capsys):
    found = blobs.PrunedBlobs("abs://x/", {"outputs": blobs.Amount(2, 4, 12_400_000)}, others=blobs.Amount(1, 1, 5))

    def pruned(_session, *, agree, **_options):
        assert agree(found)
        return dataclasses.replace(
            found, deleted=blobs.Amount(2, 3, 9_000_000), failed=1, problems={"a": "LeaseIdMissing"}
        )

    monkeypatch.setattr(services, "prune_blobs", pruned)

    assert cli.main(["runs", "prune", "--cluster", "--yes"]) == 6

    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "WHERE     LAUNCHES  BLOBS  SIZE",
        "outputs/  2         4      12.4 MB",
        "Left out: 1 blob (5 B) that others may need; see them with --everyone --dry-run.",
        "a could not be deleted: LeaseIdMissing",
        "3 blobs (9.0 MB) deleted.",
    ]
    assert "1 blob could not be deleted; see the reason above." in err
