"""`train`, `deploy`, `launch` and `predict` on this machine, as their users type them, and what all of them refuse."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

from fairing_az_jupyter import services
from fairing_az_jupyter.fairing.tasks.launching import LaunchedEndpoint
from fairing_az_jupyter.frontends import cli
from fairing_az_jupyter.frontends.command_line.calls import call_of
from fairing_az_jupyter.frontends.command_line.parsing import parse
from fairing_az_jupyter.frontends.commands import launches
from fairing_az_jupyter.frontends.commands.wording import in_place
from fairing_az_jupyter.models import Deployed, LaunchInfo, OrphanedResource, RunRequest
from fairing_az_jupyter.operations.calls import Caller
from fairing_az_jupyter.settings import Settings
from tests.unit.launches_scene import gone, notebook_in

SECRET = "hunter2Qx8~marked-VALUE"
COMMANDS = {
    "status": [],
    "logs": ["x"],
    "delete": ["x"],
    "cleanup": [],
    "predict": ["x", "[[1]]"],
    "train": ["x.py:A"],
    "deploy": ["x.py:A"],
    "launch": ["x.ipynb"],
}
TASKS = """
from pathlib import Path
from helper import TEXT
class Model:
    def train(self):
        print(TEXT, sorted(path.name for path in Path('.').glob('*.csv')))
    def predict(self, X, feature_names=None):
        return [float(row.sum()) for row in X]
class Silent:
    pass
class Slow(Model):
    def train(self):
        import time
        for i in range(3):
            print('line', i)
            time.sleep(0.5)
def work():
    print('a function')
def fails():
    print('before')
    raise SystemExit(3)
VALUE = 5
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "helper.py").write_text("TEXT = 'from beside'\n")
    (tmp_path / "data.csv").write_text("a,b\n")
    return tmp_path


def start(*words, **more):
    command = [sys.executable, "-m", "fairing_az_jupyter", *words]
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **more}
    return subprocess.Popen(command, **given)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_settings_that_a_command_reads_are_its_flags_and_no_others(command, capsys):
    assert cli.main([command, "--help"]) == 0

    out = capsys.readouterr().out
    everything = {"train", "deploy", "launch"}
    read = set(Settings.model_fields) if command in everything else {"backend", "namespace"}
    read |= {"node_wait"} if command == "logs" else {"docker_registry"} if command == "cleanup" else set()
    assert {field for field in Settings.model_fields if f"--{field.replace('_', '-')} " in out} == read
    assert "--json" in out
    assert "--profile" in out


@pytest.mark.parametrize("command", ["status", "predict", "delete"])
def test_the_help_of_a_command_that_only_looks_fits_on_a_screen(command, capsys):
    assert cli.main([command, "--help"]) == 0

    assert len(capsys.readouterr().out.splitlines()) <= 30


def test_a_setting_that_a_command_does_not_read_is_an_error(fairing_azure):
    code, _, err = fairing_azure("status", "--docker-registry", "contoso.azurecr.io")

    assert code == 2
    assert err.startswith("fairing-azure: 'status' does not use the setting --docker-registry.")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_secret_among_the_options_is_refused_and_not_repeated(command, fairing_azure):
    words = [command, *COMMANDS[command]]
    for wrong in ([f"--client-secret={SECRET}"], ["--password", SECRET], ["--foo", SECRET]):
        code, out, err = fairing_azure(*words, *wrong)
        assert code == 2
        if command != "launch" or wrong[0] != "--foo":
            assert "hunter2" not in out + err


def test_hints_are_commands_that_the_user_can_type_where_the_hint_stands():
    for command in COMMANDS:
        assert in_place(f"Type: fairing-azure {command} x", "%fairing_azure") == f"Type: %fairing_azure {command} x"
        assert in_place(f"Type: %fairing_azure {command}", "fairing-azure") == f"Type: fairing-azure {command}"


@pytest.mark.parametrize(
    "words",
    [
        ["logs", "x", "--tail", "-1"],
        ["logs", "x", "--tail", "many"],
        ["train", "x.py:A", "--deadline", "0"],
        ["train", "x.py:A", "--output-map", "no-target"],
        ["train", "x.py:A", "--output-map", "=/app/x"],
        ["delete"],
        ["predict", "x"],
        ["status", "x", "y"],
    ],
)
def test_what_no_command_takes_is_told_in_one_line_with_where_to_look(words, fairing_azure):
    code, _, err = fairing_azure(*words)

    assert code == 2
    assert len(err.splitlines()) == 1
    assert f"See: fairing-azure {words[0]} --help" in err


def test_files_and_maps_may_be_given_several_times():
    parsed = parse(
        [
            "train",
            "t.py:A",
            "--input-files",
            "a",
            "b",
            "--output-map",
            "x=/app/x",
            "--input-files",
            "c",
            "--output-map",
            "y=z=1",
        ]
    ).request

    assert parsed.input_files == ("a", "b", "c")
    assert dict(parsed.output_map) == {"x": "/app/x", "y": "z=1"}


@pytest.mark.parametrize(
    ("words", "kept"),
    [([], True), (["--no-outputs"], False), (["--outputs", "*.dat", "plots/**"], ("*.dat", "plots/**"))],
)
def test_which_files_a_launch_keeps_stays_with_its_request(words, kept):
    for command in (["run", "a.ipynb"], ["sweep", "run", "a.ipynb", "--grid", "x", "1"]):
        asked = parse([*command, "--on-cluster", *words]).request
        request = RunRequest(asked.notebook, None, outputs=asked.kept)
        assert RunRequest.from_dict(json.loads(json.dumps(request.to_dict()))).outputs == kept


@pytest.mark.parametrize("command", [["train", "t.py:A"], ["run", "a.ipynb"], ["sweep", "run", "a.ipynb"]])
def test_some_files_and_none_exclude_each_other(fairing_azure, command):
    code, _, err = fairing_azure(*command, "--outputs", "*.dat", "--no-outputs")

    assert code == 2
    assert "--outputs and --no-outputs exclude each other" in err


@pytest.mark.parametrize("command", [["run"], ["sweep", "run", "--grid", "x", "1", "2"]])
def test_globs_for_a_run_on_this_machine_are_refused_as_its_files_stay_where_they_are(fairing_azure, command):
    code, _, err = fairing_azure(*command, "--outputs", "*.dat", "--", "a.ipynb")

    assert code == 3
    assert "there they stay" in err
    assert "--on-cluster" in err


@pytest.mark.kernel
def test_a_training_keeps_what_is_asked_for_and_its_retry_the_same(folder, fairing_azure, caplog):
    (folder / "work.py").write_text(
        "def write():\n"
        "    for name in ('a.dat', 'b.txt', 'c.dat'):\n"
        "        open(name, 'wb').write(bytes(ord(name[0])))\n"
    )

    code, _, _ = fairing_azure("train", "work.py:write", "--outputs", "*.dat", "--outputs-limit", "98")

    assert code == 0
    assert "Not kept: c.dat. To keep them, raise the limit: --outputs-limit 1Gi" in caplog.text
    (run,) = services.list_runs(services.Session())
    assert [file.name for file in services.list_outputs(services.Session(), run.id).files] == ["a.dat"]
    assert "1 file, 97 B: fairing-azure fetch" in fairing_azure("runs", "show", run.id)[1]
    again = services.plan_retry(services.Session(), run.id)
    assert again.outputs == ("*.dat",)
    assert again.settings["outputs_limit"] == "98"


@pytest.mark.kernel
def test_a_class_of_a_file_is_trained_with_its_input_files(folder, fairing_azure):
    code, out, err = fairing_azure("train", "tasks.py:Model", "--input-files", "data.csv")

    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "from beside ['data.csv']"
    assert lines[-2].startswith("Job fairing-job-")
    assert lines[-2].endswith(" succeeded.")
    assert re.fullmatch(r"Record: (\S+-model-\w{4})\. Show it: fairing-azure runs show \1", lines[-1])
    assert "Using builder" not in err


@pytest.mark.kernel
def test_a_further_file_goes_where_the_map_says(folder, fairing_azure):
    (folder / "work.py").write_text("def show():\n    print(open('/'.join(['deep', 'moved.csv'])).read())\n")

    code, out, _ = fairing_azure("train", "work.py:show", "--output-map", f"{folder}/data.csv=/app/deep/moved.csv")

    assert (code, out.splitlines()[0]) == (0, "a,b")


@pytest.mark.kernel
def test_a_function_is_trained_and_its_answer_as_json_is_one_document(folder, fairing_azure):
    code, out, _ = fairing_azure("train", "tasks.py:work", "--json")

    answer = json.loads(out)
    assert (code, answer["lines"]) == (0, ["a function"])
    assert answer["job"].startswith("fairing-job-")


@pytest.mark.kernel
def test_a_failing_job_has_exit_code_4_and_its_last_lines(folder, fairing_azure):
    code, out, err = fairing_azure("train", "tasks.py:fails")

    assert (code, out) == (4, "before\n")
    assert "exit code 3" in err
    assert json.loads(fairing_azure("train", "tasks.py:fails", "--json")[1])["error"]["code"] == "job-failed"


def test_the_output_of_a_job_is_seen_while_it_runs_also_through_a_pipe(folder):
    with start("train", "tasks.py:Slow") as child:
        times = [time.monotonic() for line in child.stdout if line.startswith("line")]

    assert len(times) == 3
    assert times[-1] - times[0] > 0.7


def test_ctrl_c_stops_a_job_on_this_machine(folder):
    (folder / "long.py").write_text(
        "import os, time\ndef work():\n    print(os.getpid(), flush=True)\n    time.sleep(600)\n"
    )
    with start("train", "long.py:work") as child:
        pid = int(child.stdout.readline())
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=30)

    assert child.returncode == 130
    assert said.splitlines()[-1] == "fairing-azure: cancelled"
    assert gone(pid)


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("tasks.py:Modle", "'Modle' not found in 'tasks.py'. Did you mean 'Model'?"),
        ("tasks.py:Silent", "Class 'Silent' in 'tasks.py' has no method 'train', so it can't be trained."),
        ("tasks.py:VALUE", "'VALUE' in 'tasks.py' is not a class or function but int"),
        ("none.py:Model", "Python file 'none.py' not found."),
        ("Model", "'Model' names no class in a file. Write FILE.py:CLASS"),
        ("tasks.py:", "'' not found in 'tasks.py'."),
        ("data.csv:Model", "'data.csv' is not a Python file."),
        ("bad.py:Model", "'bad.py' can't be run: ZeroDivisionError: division by zero (line 2)."),
        ("broken.py:Model", "'broken.py' can't be run: SyntaxError: "),
        ("leaves.py:Model", "'leaves.py' can't be run: SystemExit: 7 (line 1)."),
        (".:Model", "Python file '.' not found."),
    ],
)
def test_a_task_that_is_none_is_told_with_its_cure(folder, fairing_azure, task, told):
    (folder / "bad.py").write_text("x = 1\nx / 0\n")
    (folder / "broken.py").write_text("class Model(:\n")
    (folder / "leaves.py").write_text("raise SystemExit(7)\n")

    code, _, err = fairing_azure("train", task)

    assert code == 3
    assert told in err
    assert "Traceback" not in err
    assert not [name for name in sys.modules if name in {"fairing_task_bad", "fairing_task_leaves"}]


def test_a_class_that_does_not_predict_or_a_function_is_not_deployed(folder, fairing_azure):
    assert "has no method 'predict', so it can't be deployed" in fairing_azure("deploy", "tasks.py:Silent")[2]
    assert "'work' in 'tasks.py' is not a class but function" in fairing_azure("deploy", "tasks.py:work")[2]


@pytest.mark.kernel
def test_a_file_that_is_changed_is_read_anew(folder, fairing_azure):
    (folder / "one.py").write_text("def work():\n    print('first')\n")
    assert fairing_azure("train", "one.py:work")[1].startswith("first")
    (folder / "one.py").write_text("def work():\n    print('second, and longer')\n")

    assert fairing_azure("train", "one.py:work")[1].startswith("second")


@pytest.mark.kernel
def test_a_file_named_as_a_module_takes_no_modules_place(folder, fairing_azure):
    (folder / "json.py").write_text("def work():\n    import json; print(json.dumps([1]))\n")

    assert fairing_azure("train", "json.py:work")[1].startswith("[1]")
    assert sys.modules["json"] is json


def test_a_missing_input_file_and_a_deadline_here_are_refused_before_anything_runs(folder, fairing_azure):
    code, _, err = fairing_azure("train", "tasks.py:work", "--input-files", "none.csv")
    assert (code, "'none.csv'" in err) == (3, True)

    code, _, err = fairing_azure("train", "tasks.py:work", "--deadline", "60")
    assert (code, "LocalBackend does not support deadlines." in err) == (3, True)


def test_a_training_in_the_cluster_without_its_settings_names_them(folder, fairing_azure):
    code, _, err = fairing_azure("train", "tasks.py:work", "--backend", "KubeflowAzureBackend")

    assert code == 3
    assert "DOCKER_REGISTRY" in err


def test_an_endpoint_on_this_machine_is_asked_from_elsewhere_and_ends_with_ctrl_c(folder, fairing_azure):
    with start("deploy", "tasks.py:Model") as child:
        first = child.stdout.readline()
        url = first.split()[-1]
        note = child.stdout.readline()
        pids = [each.pid for each in psutil.Process(child.pid).children(recursive=True)]
        code, out, _ = fairing_azure("predict", url, "[[1, 2], [3, null]]")
        refused = fairing_azure("predict", url, '{"data": {"ndarray": "x"}}')
        child.send_signal(signal.SIGINT)
        rest, _ = child.communicate(timeout=30)

    assert first.startswith("Endpoint fairing-endpoint-")
    assert f"Ctrl-C ends it. Ask it from another terminal: fairing-azure predict {url} DATA" in note
    assert (code, out.splitlines()[0]) == (0, "3.0")
    assert out.splitlines()[-1].endswith(f" from {url}")
    assert (refused[0], "answered 400" in refused[2]) == (4, True)
    assert (child.returncode, rest.splitlines()[-1][-11:]) == (0, "is deleted.")
    assert all(gone(pid) for pid in pids)
    code, _, err = fairing_azure("predict", url, "[[1, 2]]")
    assert (code, "does not answer" in err) == (4, True)


def test_an_endpoint_whose_process_ends_is_told(folder):
    with start("deploy", "tasks.py:Model", "--json") as child:
        lines = ""
        while not lines.endswith("}\n}\n"):
            lines += child.stdout.readline()
        name = json.loads(lines)["endpoint"]["name"]
        for each in psutil.Process(child.pid).children(recursive=True)[::-1]:
            each.kill()
        out, _ = child.communicate(timeout=30)

    assert child.returncode == 4
    assert f"Endpoint '{name}' has ended by itself." in json.loads(out)["error"]["message"]


def test_an_endpoint_that_is_not_here_can_not_be_asked(folder, fairing_azure):
    code, _, err = fairing_azure("predict", "fairing-endpoint-1", "[[1]]", "--backend", "LocalBackend")

    assert code == 3
    assert "No endpoint 'fairing-endpoint-1' found on this machine." in err


def call_of_line(*words, answer="n"):
    def ask(question):
        if isinstance(answer, Exception):
            raise answer
        return answer

    return call_of(parse(list(words)), Caller(ask=ask))


def test_what_the_cluster_says_can_not_break_a_table(monkeypatch, capsys):
    info = LaunchInfo(
        "fairing-job-1", "job", "failed", "team-a", "me\x1b[31m", "2026-01-01", "", "line one\nline two\x07"
    )
    monkeypatch.setattr(services, "list_launches", lambda *_, **__: (info,))

    assert cli.main(["status"]) == 0

    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "fairing-job-1: line one line two\n" in out


@pytest.mark.parametrize("answer", ["", "n", "yess", "ja", "Y E S"])
def test_only_a_clear_yes_deletes(monkeypatch, capsys, answer):
    left = OrphanedResource("Job", "fairing-job-1", "team-a", "The job has failed.")
    agreed = []

    def cleanup(*_, agree, **__):
        found = services.OrphanedResources((left,), (left,))
        agreed.append(agree(found))
        return found

    monkeypatch.setattr(services, "cleanup", cleanup)
    launches.cleanup(call_of_line("cleanup", answer=answer))

    assert agreed == [False]
    assert capsys.readouterr().out.endswith("Nothing was deleted.\n")


def test_an_endpoint_in_the_cluster_is_told_with_how_to_ask_and_delete_it(monkeypatch, capsys):
    info = Deployed("fairing-endpoint-1", "http://127.0.0.1:4711/predict", "KubeflowAzureBackend")
    monkeypatch.setattr(services, "deploy", lambda *_, **__: LaunchedEndpoint(None, info))

    assert launches.deploy(call_of_line("deploy", "tasks.py:Model"), None) == 0

    assert capsys.readouterr().out.splitlines() == [
        "Endpoint fairing-endpoint-1 is ready: http://127.0.0.1:4711/predict",
        "It stays in the cluster; the port of this machine that leads to it ends with this command.",
        "Ask it: fairing-azure predict fairing-endpoint-1 DATA",
        "Delete it: fairing-azure delete fairing-endpoint-1",
    ]
    launches.deploy(call_of_line("deploy", "tasks.py:Model", "--json"), None)
    assert json.loads(capsys.readouterr().out)["endpoint"] == info.to_dict()


@pytest.mark.kernel
def test_launch_checks_and_runs_the_notebook_with_its_settings(folder, fairing_azure):
    path = notebook_in(folder, "import os\nprint('rounds', ROUNDS, os.environ.get('FAIRING_MEMORY'))")

    code, out, _ = fairing_azure("launch", path, "-p", "ROUNDS", "7", "--memory", "4Gi", "-o", folder / "done.ipynb")

    assert code == 0
    assert "Ready to launch." in out
    assert "  | rounds 7 4Gi\n" in out
    assert f"Executed notebook: {folder / 'done.ipynb'}\nRecord: " in out
    assert out.index("Ready to launch") < out.index("rounds 7")


def test_launch_stops_at_what_would_make_it_fail_and_shows_the_cures(folder, fairing_azure, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(folder / "none"))
    path = notebook_in(folder, "print('never')")
    words = ["--backend", "KubeflowAzureBackend", "--docker-registry", "contosoml.azurecr.io", "--azure-resource-group"]
    words += ["rg", "--azure-storage-account", "contosomldata"]

    code, out, _ = fairing_azure("launch", path, *words)

    assert code == 7
    assert "A launch would fail." in " ".join(out.split())
    assert "To fix it" in out
    assert "never" not in out
    assert not (folder / "example.executed.ipynb").exists()
    document = json.loads(fairing_azure("launch", path, *words, "--json")[1].splitlines()[0])
    assert document["check"]["status"] == "fail"


@pytest.mark.kernel
def test_launch_without_checks_runs_what_a_check_would_stop(folder, fairing_azure, monkeypatch):
    monkeypatch.setattr(services, "check", lambda *_, **__: pytest.fail("it was checked"))
    path = notebook_in(folder)

    code, out, _ = fairing_azure("launch", path, "--skip-checks", "-o", folder / "done.ipynb")

    assert code == 0
    assert (folder / "done.ipynb").exists()
    assert "A launch would fail." not in out


def test_a_launch_that_is_stopped_by_a_check_names_the_way_round_it(folder, fairing_azure):
    words = ("--backend", "KubeflowAzureBackend")

    code, out, _ = fairing_azure("launch", notebook_in(folder), *words)

    assert code == 7
    assert out.endswith("To launch it without the checks, add --skip-checks.\n")


def test_launch_refuses_a_wrong_parameter_before_it_checks(folder, fairing_azure):
    code, out, err = fairing_azure("launch", notebook_in(folder), "-p", "RONDS", "7")

    assert (code, out) == (3, "")
    assert "Did you mean 'ROUNDS'" in err


@pytest.mark.kernel
def test_a_failing_cell_of_a_launch_has_exit_code_4(folder, fairing_azure):
    assert fairing_azure("launch", notebook_in(folder, "1 / 0"))[0] == 4
