"""A sweep of XGBoost settings in the cluster: one build, one Indexed Job, a run for each setting."""

from __future__ import annotations

from pathlib import Path

from fairing_az_jupyter import services
from fairing_az_jupyter.services.cluster_runs import sweeps
from fairing_az_jupyter.services.session import Session
from fairing_az_jupyter.sweeps.points import Axis, PointsRequest
from tests.cluster.notebooks_scene import wheels, yard  # noqa: F401 - fixtures

REQUIREMENTS = "numpy\nxgboost-cpu>=3.0\n"
TRAINS = """\
import numpy, xgboost
import fairing_az_jupyter as fairing
chance = numpy.random.default_rng(7)
rows = chance.normal(size=(200, 4))
told = rows @ [1.0, 2.0, 0.0, -1.0]
data = xgboost.DMatrix(rows, told)
model = xgboost.train({"max_depth": max_depth, "eta": eta, "nthread": 1}, data, 20)
fairing.report("rmse", float(numpy.sqrt(numpy.mean((model.predict(data) - told) ** 2))))
"""


def test_twelve_settings_are_one_build_one_indexed_job_and_twelve_results(yard, tmp_path):  # noqa: F811
    notebook = yard.notebook(TRAINS, tagged="max_depth = 3\neta = 0.3")
    (yard.folder / "requirements.txt").write_text(REQUIREMENTS)
    axes = [Axis("max_depth", ["1", "2", "3", "4"]), Axis("eta", ["0.1", "0.3", "0.5"])]
    sweep = services.keep_sweep(
        services.Session(runs_folder=yard.runs),
        services.plan_sweep(services.Session(), notebook, PointsRequest(grid=axes)),
    )
    before, ends = yard.pushes(), []

    table = sweeps.resume_on_cluster(Session(runs_folder=yard.runs), sweep, ends.append, settings=yard.settings)

    infos = services.list_runs(services.Session(runs_folder=yard.runs))
    assert [info.state for info in infos] == ["succeeded"] * 12
    assert len({info.job for info in infos}) == 1
    assert {info.id for info in ends} == {info.id for info in infos}
    assert all(0 < info.metrics["rmse"] < 3 for info in infos)
    assert len({tuple(info.parameters.values()) for info in infos}) == 12
    assert yard.pushes() - before <= 2, "the dependencies and the notebook's layer"
    assert table.state == "done"
    plot = services.plot_sweep(
        services.describe_sweep(services.Session(runs_folder=yard.runs), sweep), str(tmp_path / "sweep.png")
    )
    assert Path(plot).read_bytes().startswith(b"\x89PNG")
    assert yard.workshop.nothing_left()
