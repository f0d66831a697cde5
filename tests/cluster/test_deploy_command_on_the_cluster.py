"""`deploy`, `status`, `predict`, `logs` and `delete` from a terminal that has nothing but a kubeconfig, for real."""

from __future__ import annotations

import json
import signal
import time

import pytest

from tests.cluster.deploy_terminal_scene import Terminal

MODEL = """
class Summing:
    def predict(self, X, feature_names=None):
        print("asked for", len(X), "rows", flush=True)
        if len(X[0]) != 2:
            raise ValueError(f"two columns are expected, and not {len(X[0])}")
        return [float(sum(row)) for row in X]
"""


@pytest.fixture
def terminal(example_wheels, workshop, own_folders):
    for wheel in example_wheels.glob("*.whl"):
        (workshop.index.folder / wheel.name).symlink_to(wheel)
    with open("summing.py", "w") as file:
        file.write(MODEL)
    with open("requirements.txt", "w") as file:
        file.write("kserve>=0.15\n")
    return Terminal(workshop, own_folders)


def test_an_endpoint_is_deployed_asked_by_name_read_and_deleted_by_commands_alone(terminal, tmp_path):
    terminal.settings()
    deploy = ("deploy", "summing.py:Summing", "--input-files", "requirements.txt")

    out, _ = terminal.type(*deploy, "--json")
    endpoint = json.loads(out)["endpoint"]
    name = endpoint["name"]

    # From here on nothing is needed but the kubeconfig.
    for setting in [name for name in terminal.environ if name.startswith(("DOCKER_", "AZURE_", "FAIRING_"))]:
        del terminal.environ[setting]
    (launch,) = json.loads(terminal.type("status", "--json")[0])["launches"]
    assert (launch["name"], launch["state"], launch["kind"]) == (name, "ready", "endpoint")
    assert name in terminal.type("status")[0]
    assert f"fairing-azure predict {name} DATA" not in terminal.type("status", name)[0]

    (tmp_path / "rows.csv").write_bytes(b'\xef\xbb\xbf"a";"b"\r\n"1";2\r\n3;4\r\n')
    (tmp_path / "rows.json").write_text('{"a": [5], "b": [6]}')
    answer = json.loads(terminal.type("predict", name, str(tmp_path / "rows.csv"), "--json")[0])
    assert (answer["values"], answer["status"], answer["endpoint"]) == ([3.0, 7.0], 200, name)
    assert terminal.type("predict", name, str(tmp_path / "rows.json"))[0].splitlines()[0] == "11.0"
    assert terminal.type("predict", name, "[1, 1]")[0].startswith("2.0\n1 prediction in ")

    _, err = terminal.type("predict", name, "[[1, 2, 3]]", code=4)
    assert "two columns are expected, and not 3" in err

    out, _ = terminal.type("logs", name, "--tail", "200")
    assert "asked for 2 rows" in out
    with terminal.start("logs", name, "-f", "--tail", "1") as child:
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=20)
    assert child.returncode == 130
    assert "Traceback" not in err

    assert terminal.workshop.left()
    out, _ = terminal.type("cleanup", "--yes", "--everyone", "--all")
    assert "Nothing to clean up." in out
    out, _ = terminal.type("delete", name, "--json")
    assert [each["name"] for each in json.loads(out)["deleted"]] == [name]
    assert terminal.workshop.nothing_left()
    terminal.type("predict", name, "[1, 1]", code=6)
    terminal.type("delete", name, code=6)

    interrupted(terminal, deploy)


def interrupted(terminal, deploy):
    """Interrupt a deployment, of the image that is there now, while its pod starts: nothing of it is left."""
    terminal.settings()
    with terminal.start(*deploy) as child:
        end = time.monotonic() + 120
        while not any("fairing-endpoint" in name for name in terminal.workshop.left()):
            assert time.monotonic() < end
            assert child.poll() is None, child.communicate()
            time.sleep(0.2)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130, out + err
    assert "is being deleted" in err
    assert "Traceback" not in out + err
    assert terminal.workshop.nothing_left(40)
