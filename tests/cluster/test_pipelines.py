"""The pipelines of ci/: each of their steps is run here, against the test stand's cluster, storage and registry."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

import nbformat
import pytest
import yaml

from fairing_az_jupyter import services
from tests.cluster.launches_scene import FOREVER, SERVER, opened
from tests.cluster.pipelines_scene import AZ, CI, KUBELOGIN, AzurePipelines, GitHubActions, load, steps_of
from tests.conftest import REPOSITORY
from tests.junit_rules import read_report

NOTEBOOK = "xgboost-high-level-apis.ipynb"
BOTH = pytest.mark.parametrize("service", [AzurePipelines, GitHubActions])
PACKAGE = ("fairing_az_jupyter", "notebooks", "pyproject.toml", "README.md", "LICENSE")
USERS = ("notebooks", "ci")
LEAVE_OUT = ("AZ_", "AZURE_", "ARM_", "DOCKER_", "FAIRING_", "KUBE", "NB_", "PYTHON", "VIRTUAL_ENV")
# Leaves an endpoint that answers and a job that runs, as the example does where it ends before its last cell.
LEAVING = """
from fairing_az_jupyter.fairing.cluster.connections import Launcher
from fairing_az_jupyter.fairing.cluster.manifests import Placement, deployment, finished_pod, job, service
from fairing_az_jupyter.services import Session
small = Placement(cpu="50m", memory="64Mi")
with Launcher(Session().settings) as launcher:
    target = launcher.target
    container = {{"name": "model", "image": {image!r}, "command": ["python", "-uc", {server!r}]}}
    pod = finished_pod({{"containers": [container]}}, target, small, ends=False)
    launcher.workloads.create(deployment("fairing-endpoint-left", pod, target))
    launcher.workloads.create(service("fairing-endpoint-left", target))
    container = {{"name": "model", "image": {image!r}, "command": ["python", "-uc", {forever!r}]}}
    pod = finished_pod({{"containers": [container]}}, target, small, ends=True)
    launcher.workloads.create(job("fairing-job-left", pod, target))
print("launched by", target.owner)
"""
WRONG = "raise ValueError('the prediction is wrong')"
ON_THIS_MACHINE = """\
#!{python}
import os, sys
words = sys.argv[1:]
if words[:2] == ["sweep", "run"]:
    words.remove("--on-cluster")
os.execv(sys.executable, [sys.executable, "-m", "fairing_az_jupyter", *words])
"""
# As a service ends what does not end by itself.
KILLED = "import os, signal, time; os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)"


def copied(folder, parts):
    """Return a new folder with parts of this repository."""
    folder.mkdir()
    for name in parts:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.executed.ipynb"))
        else:
            shutil.copy(source, folder)
    return folder


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """The repository of a user, with a copy of ci/, as a pipeline checks it out."""
    return copied(tmp_path_factory.mktemp("checkout") / "repository", USERS)


@pytest.fixture(scope="session")
def python(checkout, tmp_path_factory):
    """The Python of an agent: an environment of its own in which the pipelines' install steps were run.

    They are run before the stand's names are the only ones there are, and see what is installed here already.
    """
    folder = tmp_path_factory.mktemp("agent") / "python"
    venv.create(folder, with_pip=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "seen.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    # In the place of the package of this name, which is as good as this one only once this one is released.
    package = copied(folder.parent / "package", PACKAGE)
    environ |= {"PACKAGE": str(package), "REQUIREMENTS": "notebooks/requirements.txt"}
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    for script in sorted({install_of(AzurePipelines.file), install_of(GitHubActions.file)}):
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=checkout,
            env={**environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "bin" / "python"


def install_of(file):
    (step,) = [step for step in steps_of(file) if "Install" in (step.get("displayName"), step.get("name"))]
    return step.get("bash") or "set -eo pipefail\n" + step["run"]


@pytest.fixture
def pipeline(service, workshop, checkout, python, tmp_path):
    """A pipeline that has nothing but the stand's names, an Azure CLI and a Python; `given` is what its users set."""
    setup, tools = workshop.setup, tmp_path / "tools"
    tools.mkdir()
    kubeconfig = json.loads(setup.kubeconfig.read_text())
    token = kubeconfig["users"][0]["user"].pop("token")
    kubeconfig["users"][0]["user"]["exec"] = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "kubelogin",
        "args": ["get-token", "--login", "devicecode"],
        "env": None,
        "provideClusterInfo": False,
    }
    del kubeconfig["contexts"][0]["context"]["namespace"]
    (tmp_path / "aks.json").write_text(json.dumps(kubeconfig))
    known = {"python": sys.executable, "kubelogin": str(tmp_path / "kubelogin"), "token": token}
    for target, text in ((tmp_path / "kubelogin", KUBELOGIN), (tools / "az", AZ)):
        target.write_text(text.format(**known, kubeconfig=str(tmp_path / "aks.json")))
        target.chmod(0o755)
    own = {"BASE_IMAGE": workshop.base, "BUILDER_IMAGE": workshop.builder_image, "NAMESPACE": workshop.namespace}
    small = {"BUILD_CPU": "100m", "CPU": "100m"}
    # The region is left out: the account is there.
    given = {name: value for name, value in setup.settings.items() if name != "FAIRING_BACKEND" and value is not None}
    given |= {f"FAIRING_{name}": value for name, value in {**own, **small}.items()}
    given |= {"AKS_RESOURCE_GROUP": "rg-of-the-cluster", "AKS_CLUSTER": "the-cluster"}
    machine = {name: value for name, value in os.environ.items() if not name.startswith(LEAVE_OUT)}
    machine |= {name: value for name, value in setup.environment.items() if not name.startswith("KUBERNETES_")}
    machine |= {name: value for name, value in given.items() if name.startswith("FAIRING_")}
    workspace = Path(shutil.copytree(checkout, tmp_path / "workspace"))
    path = [python.parent, tools, "/usr/local/bin", "/usr/bin", "/bin"]
    return service(workspace, tmp_path / "agent", path, machine, given)


def leave_and(pipeline, workshop, last):
    """Put a notebook in the example's place that leaves something in the cluster, and ends in this cell."""
    path = pipeline.workspace / "notebooks" / NOTEBOOK
    notebook = nbformat.read(path, as_version=4)
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    code = LEAVING.format(server=SERVER, forever=FOREVER, image=workshop.base)
    notebook.cells = [parameters, *(nbformat.v4.new_code_cell(source) for source in (code, last))]
    nbformat.write(notebook, path)


def left_but(workshop, kept):
    """Return what is left in the namespace after a while, but for what belongs to one launch."""
    end = time.monotonic() + 40
    while True:
        left = {name for name in workshop.left() if not name.startswith(kept)}
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.2)


def results_of(pipeline):
    (folder,) = [path for name, path in pipeline.published.items() if name.startswith("example-")]
    return folder


def runs_in(folder, *, launched=False):
    """Return the states of the runs, or of what their notebooks have launched."""
    records = [path for path in (folder / "runs").iterdir() if path.is_dir() and (path / "status.json").is_file()]
    wanted = [
        path for path in records if bool(json.loads((path / "request.json").read_text()).get("parent")) == launched
    ]
    return [json.loads((path / "status.json").read_text())["state"] for path in wanted]


@pytest.mark.timeout(600)  # The first one also installs, and builds.
@BOTH
def test_the_example_is_run_on_the_cluster_kept_and_cleaned_up(pipeline, workshop, example_wheels):
    for wheel in example_wheels.glob("*.whl"):
        (workshop.index.folder / wheel.name).symlink_to(wheel)

    assert pipeline.run(without={"Install"}), pipeline.log

    results = results_of(pipeline)
    report = read_report(results / "junit.xml")
    assert report.failures == 0
    assert report.tests > 8
    executed = (results / "executed.ipynb").read_text()
    assert "Prediction endpoint: http" in executed
    assert "Deleting the endpoint." in executed
    assert runs_in(results) == ["succeeded"]
    assert runs_in(results, launched=True) == ["succeeded", "succeeded"]
    assert report.properties["DOCKER_REGISTRY"] == workshop.setup.login_server
    assert not [mark for mark in workshop.setup.marks if mark in pipeline.log]
    for file in results.rglob("*"):
        assert file.is_dir() or not [mark for mark in workshop.setup.marks if mark.encode() in file.read_bytes()]
    assert workshop.nothing_left()


@BOTH
def test_a_failing_notebook_is_published_cleaned_up_after_and_fails_the_job(pipeline, workshop):
    leave_and(pipeline, workshop, WRONG)
    with opened(workshop.stand, workshop.setup, workshop.base, owner="azp-9-1") as other:
        other.endpoint("fairing-endpoint-theirs")
        other.job("fairing-job-theirs", FOREVER)

        assert not pipeline.run(without={"Install"})

        assert not left_but(workshop, ("fairing-endpoint-theirs", "fairing-job-theirs")), pipeline.log
        assert {other.info(f"fairing-{kind}-theirs").owner for kind in ("endpoint", "job")} == {"azp-9-1"}
    results = results_of(pipeline)
    report = read_report(results / "junit.xml")
    assert report.failures == 1, pipeline.log
    assert "the prediction is wrong" in report.cases[-1].find("failure").get("message")
    assert "the prediction is wrong" in (results / "executed.ipynb").read_text()
    assert "launched by" in (results / "executed.ipynb").read_text()
    assert runs_in(results) == ["failed"]


@BOTH
def test_a_run_that_is_killed_is_cleaned_up_after_and_reported_as_not_ended(pipeline, workshop):
    leave_and(pipeline, workshop, KILLED)

    assert not pipeline.run(without={"Install"})

    assert workshop.nothing_left(), pipeline.log
    results = results_of(pipeline)
    failure = read_report(results / "junit.xml").cases[0].find("failure")
    assert "did not finish" in failure.get("message"), pipeline.log
    assert runs_in(results) == ["running"]
    assert services.describe_run(services.Session(runs_folder=str(results / "runs")), "last").state == "lost"
    assert "launched by" in (results / "executed.ipynb").read_text()


@pytest.mark.parametrize("service", [AzurePipelines])  # The other one runs the same commands: see below.
def test_a_file_of_points_makes_a_sweep_of_the_notebook_and_a_failed_point_fails_the_job(pipeline, tmp_path):
    path = pipeline.workspace / "notebooks" / NOTEBOOK
    notebook = nbformat.read(path, as_version=4)
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    parameters.source += "\nROUNDS = 1"
    work = "import fairing_az_jupyter\nfairing_az_jupyter.report('error', 1 / (ROUNDS - 3))"
    notebook.cells = [parameters, nbformat.v4.new_code_cell(work)]
    nbformat.write(notebook, path)
    (pipeline.workspace / "points.csv").write_text("ROUNDS\n2\n3\n5\n")
    # The sweep itself runs on this machine: other tests run one on the cluster.
    here = tmp_path / "here"
    here.mkdir()
    (here / "fairing-azure").write_text(ON_THIS_MACHINE.format(python=pipeline.path[0] / "python"))
    (here / "fairing-azure").chmod(0o755)
    pipeline.path.insert(0, here)
    pipeline.edit(POINTS="points.csv")

    assert not pipeline.run(without={"Install"})

    results = results_of(pipeline)
    rows = list(csv.DictReader((results / "sweep.csv").read_text().splitlines()))
    assert [(row["ROUNDS"], row["state"]) for row in rows] == [("2", "succeeded"), ("3", "failed"), ("5", "succeeded")]
    assert len(list((results / "executed").glob("*.ipynb"))) == 3, pipeline.log


@BOTH
def test_a_check_that_fails_is_told_as_a_failed_test_and_nothing_is_launched(pipeline, workshop):
    setup = workshop.setup
    workshop.stand.arm.revoke(setup.oid, "AcrPush")

    assert not pipeline.run(without={"Install"})

    report = read_report(results_of(pipeline) / "junit.xml")
    assert (report.tests, report.failures) == (1, 1)
    assert "a check has found" in report.cases[0].find("failure").get("message")
    assert workshop.nothing_left()


@BOTH
def test_a_cluster_that_is_not_reached_fails_the_job_and_the_clean_up_says_why_it_has_nothing_to_do(pipeline):
    (pipeline.home.parent / "tools" / "az").write_text("#!/bin/sh\nexit 1\n")

    assert not pipeline.run(without={"Install"})

    assert "Check, and run the notebook" not in pipeline.ran
    assert "Clean up" in pipeline.ran
    assert pipeline.log.endswith("The cluster was never reached: nothing was launched.\n")


@pytest.mark.parametrize("file", [AzurePipelines.file, GitHubActions.file])
def test_every_task_and_action_names_its_major_version(file):
    used = [step.get("task") or step.get("uses") for step in steps_of(file)]
    assert all(re.fullmatch(r"[\w/-]+@v?\d+", name) for name in used if name), used


@pytest.mark.parametrize("file", [AzurePipelines.file, GitHubActions.file])
def test_every_variable_of_a_script_is_set_by_the_file_by_the_service_or_told_in_the_readme(file):
    text, readme = (CI / file).read_text(), (CI / "README.md").read_text()
    document = load(file)
    services = {
        "HOME",
        "PATH",
        "RUNNER_TEMP",
        "GITHUB_ENV",
        "GITHUB_PATH",
        "GITHUB_STEP_SUMMARY",
        "AGENT_TEMPDIRECTORY",
    }
    variables = document.get("variables", [])
    own = {each["name"] for each in variables if "name" in each} | set(re.findall(r'echo "(\w+)=', text))
    own |= {name for job in document["jobs"] if isinstance(job, str) for name in document["jobs"][job]["env"]}
    scripts = [
        step.get("bash") or step.get("run") or step.get("inputs", {}).get("inlineScript", "") for step in steps_of(file)
    ]
    used = {name for script in scripts for name in re.findall(r"\$\{?([A-Za-z_]\w*)", script)} - {"code", "parameters"}
    asked = set(re.findall(r"\b(?:vars|secrets)\.(\w+)", text)) | (used - own - services)

    assert used - own - services <= asked
    assert asked
    for name in sorted(asked):
        assert f"`{name}`" in readme, name


@pytest.mark.parametrize("file", [AzurePipelines.file, GitHubActions.file])
def test_no_expression_of_a_user_stands_in_a_script_where_it_could_be_code(file):
    for step in steps_of(file):
        script = step.get("bash") or step.get("run") or step.get("inputs", {}).get("inlineScript", "")
        assert "${{" not in script
        # An unknown macro of Azure Pipelines would be run as a command.
        assert not re.search(r"\$\([A-Za-z]", script)
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize("file", [AzurePipelines.file, GitHubActions.file])
def test_what_cleans_up_and_publishes_is_done_always_and_last_and_everything_ends(file):
    steps = steps_of(file)
    first = next(number for number, step in enumerate(steps) if "always()" in (step.get("condition"), step.get("if")))

    assert all("always()" in (step.get("condition"), step.get("if")) for step in steps[first:])
    limits = [int(step.get("timeoutInMinutes", step.get("timeout-minutes", 0))) for step in steps]
    jobs = load(file)["jobs"]
    (job,) = jobs if isinstance(jobs, list) else jobs.values()
    assert sum(limits) <= int(job.get("timeoutInMinutes", job.get("timeout-minutes")))
    deadlines = re.findall(r"--deadline (\d+)", (CI / file).read_text())
    assert len(deadlines) == 2
    assert max(map(int, deadlines)) < 60 * max(limits)


def test_neither_pipeline_runs_for_a_pull_request_of_somebody_else():
    assert load(AzurePipelines.file)["pr"] == "none"
    assert set(load(GitHubActions.file)[True]) == {"workflow_dispatch", "schedule"}


def test_both_pipelines_run_the_same_commands():
    def commands(file):
        scripts = [
            step.get("bash") or step.get("run") or step.get("inputs", {}).get("inlineScript", "")
            for step in steps_of(file)
        ]
        lines = re.sub(r"\\\n\s*", "", "\n".join(scripts)).splitlines()
        found = [line.strip() for line in lines if re.match(r"\s*(fairing-azure|kubelogin|az|python) ", line)]
        # Azure Pipelines has a task that shows a JUnit report.
        found = [line for line in found if "junit_table.py" not in line]
        return [re.sub(r"\$(AGENT_TEMPDIRECTORY|RUNNER_TEMP)", "$TEMPORARY", line) for line in found]

    assert commands(AzurePipelines.file) == commands(GitHubActions.file)


def test_a_report_is_a_table_whatever_stands_in_it(tmp_path):
    report = tmp_path / "junit.xml"
    report.write_text(
        """<testsuites><testsuite name="nb">
        <testcase name="cell 1" time="0.1"/>
        <testcase name="a | b *c*" time="2"><failure message="KeyError: &lt;b&gt;&#10;`x`">trace</failure></testcase>
        <testcase name="cell 3" time="0"><skipped/></testcase>
        <testcase name="cell 4"><error>%s</error></testcase>
        </testsuite></testsuites>"""
        % ("long " * 200)
    )

    def shown(file):
        command = [sys.executable, CI / "junit_table.py", file]
        return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.splitlines()

    rows = shown(report)
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| passed", "| failed", "| skipped", "| failed"]
    assert rows[3] == "| failed | a &#124; b &#42;c&#42; | 2 | KeyError: &lt;b&gt; &#96;x&#96; |"
    assert all(len(row) < 400 for row in rows)
    assert shown(tmp_path / "none.xml") == ["There is no report: the notebook was not run, or as a sweep."]


def test_own_launches_are_those_of_this_run_alone(tmp_path):
    launches = [{"name": f"job-{owner}", "owner": owner} for owner in ("azp-1-1", "azp-1-2", "azp-11-1", "")]
    (tmp_path / "launches.json").write_text(json.dumps({"launches": launches}))

    def listed(prefix):
        command = [sys.executable, CI / "own_launches.py", tmp_path / "launches.json"]
        return subprocess.run(
            command, env={**os.environ, "NB_PREFIX": prefix}, capture_output=True, text=True, check=True
        ).stdout.split()

    assert listed("/notebook/ci/azp-1-1") == ["job-azp-1-1"]
    assert listed("") == []


def test_the_owner_of_a_run_can_stand_in_a_label_unchanged():
    for file, prefix in ((AzurePipelines.file, "azp-"), (GitHubActions.file, "gh-")):
        (owner,) = re.findall(r"/notebook/ci/(.+)", (CI / file).read_text())
        longest = re.sub(r"\$[({].*?[)}]+", "9" * 20, owner)
        assert longest.startswith(prefix)
        assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", longest), longest


def test_the_files_are_yaml_that_any_version_reads_alike():
    for file in (AzurePipelines.file, GitHubActions.file):
        text = (CI / file).read_bytes()
        assert b"\t" not in text
        assert b"\r" not in text
        assert yaml.safe_load(text)
