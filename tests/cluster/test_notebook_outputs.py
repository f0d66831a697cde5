"""What notebooks write in the cluster is kept, each point of a sweep by itself, however a run ends; by real pods.

Here is also that a sweep that is continued runs only what is missing, and that a cancelled run takes its Job with it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fairing_az_jupyter import services
from fairing_az_jupyter.records.provenance.files import read_provenance
from fairing_az_jupyter.services.cluster_runs import sweeps
from fairing_az_jupyter.services.session import Session
from fairing_az_jupyter.sweeps.points import Axis, PointsRequest
from tests.cluster.notebooks_scene import wheels, yard  # noqa: F401 - fixtures

# One notebook, and so one image, for all that can become of a run.
WRITES = """\
import pathlib, time
pathlib.Path("plots").mkdir()
pathlib.Path("plots/rate.txt").write_text(f"rate {rate}")
pathlib.Path("model.bin").write_bytes(bytes([int(rate * 100) % 256]) * 3_000_000)
print("begun", flush=True)
time.sleep(120 if rate > 1 else 0)
assert rate < 0.9"""
LINK = re.compile(rb"[?&]sig=")


@pytest.mark.timeout(600)  # A build, and three launches.
def test_each_run_of_a_notebook_in_the_cluster_keeps_what_it_has_written_however_it_ends(
    yard,  # noqa: F811
    tmp_path,
):
    session = Session(runs_folder=yard.runs)
    notebook = yard.notebook(WRITES)
    points = PointsRequest(grid=[Axis("rate", ["0.25", "0.95", "0.5"])])
    sweep = services.keep_sweep(session, services.plan_sweep(session, notebook, points))
    request = yard.request(notebook, rate=2.0)

    sweeps.resume_on_cluster(session, sweep, settings=yard.settings)
    first = {info.id for info in services.list_runs(session)}
    sweeps.resume_on_cluster(session, sweep, settings=yard.settings, retry_failed=True)
    again = [info for info in services.list_runs(session) if info.id not in first]
    (long,) = yard.start(request, settings=yard.settings.model_copy(update={"outputs_limit": "1Mi"})).runs
    log = yard.store.folder(long) / "log.txt"
    thread, _ = yard.following(long)
    yard.until(lambda: log.exists() and "begun" in log.read_text(), 90)
    services.cancel_run(session, long)
    thread.join(60)

    # What failed is run again, and only that.
    assert [(info.state, info.parameters["rate"]) for info in again] == [("failed", 0.95)]
    runs = {info.parameters["rate"]: info for info in services.list_runs(session) if info.id in {*first, long}}
    assert {rate: info.state for rate, info in runs.items()} == {
        0.25: "succeeded",
        0.95: "failed",
        0.5: "succeeded",
        2.0: "cancelled",
    }
    for number, rate in enumerate((0.25, 0.95, 0.5), 1):
        point = f"{sweep}-{number:04d}"
        found = services.list_outputs(session, point)
        assert [file.name for file in found.files] == ["model.bin", "plots/rate.txt"]
        assert found.complete
        assert found.where.endswith(f"/outputs/{point}/")
        services.fetch_outputs(session, point, ["model.bin"], tmp_path / point)
        assert (tmp_path / point / "model.bin").read_bytes() == bytes([int(rate * 100)]) * 3_000_000
        assert services.kept_files(runs[rate]).files == 2
    # Another machine has no record of it.
    given = yard.settings.model_dump(exclude_defaults=True)
    elsewhere = services.list_outputs(Session(given, runs_folder=str(tmp_path / "other")), f"{sweep}-0001")
    assert [file.name for file in elsewhere.files] == ["model.bin", "plots/rate.txt"]
    # Cancelled, and with a limit: the small file is kept, and the other one is named with what would keep it.
    kept = services.list_outputs(session, long)
    assert ([file.name for file in kept.files], kept.complete) == (["plots/rate.txt"], False)
    note = services.kept_files(runs[2.0]).note
    assert "model.bin" in note
    assert "--outputs-limit 1Gi" in note
    # The image is in what they are made of, and no link is anywhere.
    for info in runs.values():
        made = read_provenance(Path(info.folder))
        assert made.image.startswith(yard.settings.docker_registry)
        assert made.image_digest.startswith("sha256:")
        assert made.job == info.job
        assert not any(LINK.search(path.read_bytes()) for path in Path(info.folder).rglob("*") if path.is_file())
    assert yard.workshop.nothing_left()
