"""What a job in the cluster has written becomes a layer of another task's image: from Azurite to the registry."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fairing_az_jupyter.fairing.recording.sources import source_of
from tests.cluster import yard_scene
from tests.cluster.yard_scene import as_in_a_notebook  # noqa: F401 - a fixture

WORDS = "as written"


class Writer:
    def train(self):
        Path("models").mkdir()
        Path("models/model.dat").write_bytes(bytes(range(256)) * 80_000)
        Path("notes.txt").write_text("not for the endpoint")


class Reader:
    def train(self):
        found = hashlib.sha256(Path("models/model.dat").read_bytes()).hexdigest()
        print(found, Path("notes.txt").exists(), WORDS)


def test_files_of_a_job_go_to_the_registry_once_and_into_the_pods_of_whoever_asks_for_them(yard, monkeypatch, caplog):
    monkeypatch.setattr(yard_scene, "Counter", Writer)
    job = yard.task(None).submit()
    monkeypatch.setattr(yard_scene, "Counter", Reader)

    def task():
        made = yard.task(None)
        made.builder.source = source_of(job, "models")
        return made

    def built():
        made = task()
        before = yard.stand.blob_front.count(".*/files.tar.*", "GET")
        _, sent = yard.counted(made.builder.build)
        return made, sent, yard.stand.blob_front.count(".*/files.tar.*", "GET") - before

    # What passes costs a part of what is sent, and not the launch.
    yard.stand.blob_front.refuse(503, path=".*/files.tar", method="GET", times=1)
    yard.stand.registry_front.drop(path=".*/blobs/uploads/.*", method="PATCH", times=1)
    first, sent, read = built()
    assert (sent["builds"], sent["blobs"], sent["layers"] > 0, read > 0) == (0, 0, True, True)
    assert not Path("models").exists()
    digest = hashlib.sha256(bytes(range(256)) * 80_000).hexdigest()
    assert first.submit().lines == (f"{digest} False as written",)
    made = first.builder.provenance()
    assert [file.sha256 for file in made["from_files"]] == [digest]
    assert (made["from_job"], made["image_digest"][:7]) == (job.record, "sha256:")

    # Also where what it was made of has been pruned.
    images, repository = yard.workshop.images, f"{yard.path}/fairing-job"
    [files] = [tag for tag in images.tags(repository) if tag.startswith("files-")]
    yard.stand.arm.assign(yard.workshop.setup.oid, "AcrDelete", yard.workshop.setup.registry)
    for tag in set(images.tags(repository)) - {first.builder.image_tag.rpartition(":")[2], files}:
        assert images.delete(repository, images.has(repository, tag))
    again, sent, read = built()
    assert (sent, read) == ({"builds": 0, "blobs": 0, "layers": 0}, 0)
    assert again.builder.image_tag == first.builder.image_tag

    monkeypatch.setitem(globals(), "WORDS", "changed")
    changed, sent, read = built()
    assert (sent["layers"] > 0, read) == (True, 0)
    assert "are already in the registry" in caplog.text
    assert changed.submit().lines == (f"{digest} False changed",)
    assert yard.workshop.nothing_left()
