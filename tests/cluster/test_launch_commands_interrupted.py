"""The commands that look after launches, stopped in the middle: by Ctrl-C, by a reader that goes, by a lost cluster."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from tests.cluster.launch_terminal_scene import ENTRY, PROMPTED, Terminal
from tests.cluster.launches_scene import FOREVER, opened

SLOW_SERVER = """
import http.server, time
class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        time.sleep(600)
print("serving", flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Model).serve_forever()
"""


@pytest.fixture
def at(stand, namespace, tmp_path, own_folders):
    with opened(stand, stand.correct_setup(namespace)) as place:
        yield Terminal(place, tmp_path, own_folders)


@pytest.fixture
def on(node, stand, namespace, tmp_path, own_folders):
    setup = stand.correct_setup(namespace)
    with opened(stand, setup, node.push_base(setup.login_server, setup.dockerconfig)) as place:
        yield Terminal(place, tmp_path, own_folders)


def test_ctrl_c_at_the_question_deletes_nothing(at):
    at.place.job("fairing-job-1")
    at.place.end(job_1="Succeeded")
    terminal, inner = pty.openpty()
    command = [sys.executable, "-c", PROMPTED + ENTRY, "cleanup"]
    streams = {"stdin": inner, "stdout": inner, "stderr": inner}
    with subprocess.Popen(command, env=at.environ, start_new_session=True, **streams) as child:
        os.close(inner)
        seen = b""
        while b"[y/N]" not in seen and child.poll() is None:
            seen += os.read(terminal, 1 << 16)
        os.write(terminal, b"\x03")
        try:
            while part := os.read(terminal, 1 << 16):
                seen += part
        except OSError:
            pass
        code = child.wait(60)
    os.close(terminal)

    assert code == 130, seen.decode()
    assert b"Traceback" not in seen
    assert at.place.names("Job") == {"fairing-job-1"}


@pytest.mark.parametrize("again", [1, 2])
def test_ctrl_c_ends_a_prediction_that_hangs_and_a_second_one_is_no_traceback(on, again):
    on.place.endpoint("fairing-endpoint-1", SLOW_SERVER)
    on.place.until("fairing-endpoint-1", "ready")
    with on.start("predict", "fairing-endpoint-1", "[[1]]") as child:
        time.sleep(4)
        for _ in range(again):
            child.send_signal(signal.SIGINT)
            time.sleep(0.05)
        out, err = child.communicate(timeout=20)

    assert child.returncode in ({130} if again == 1 else {130, -signal.SIGINT}), out + err
    assert "Traceback" not in out + err


def test_a_reader_that_goes_ends_following_and_the_job_goes_on(on):
    on.place.job("fairing-job-1", "import time\nfor i in range(300): print(i, flush=True); time.sleep(0.1)")
    on.place.until("fairing-job-1", "running")
    command = f"{sys.executable} -m fairing_az_jupyter logs -f fairing-job-1 | head -n 1"
    began = time.monotonic()
    done = subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", command],
        env=on.environ,
        cwd=on.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout == "0\n"
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert "written" not in done.stderr
    assert time.monotonic() - began < 20
    assert on.place.info("fairing-job-1").state == "running"


def test_a_name_in_other_letters_and_a_narrow_terminal_without_them_break_no_table(at):
    at.place.job("fairing-job-1")
    at.environ |= {"COLUMNS": "30", "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}

    out, _ = at.type("status")

    rows = [line for line in out.splitlines() if line.startswith(("NAME", "fairing-job-1 "))]
    assert len(rows) == 2
    assert rows[0].index("KIND") == rows[1].index("job ")
    out, err = at.type("status", "f\u00e4iring-job-1", code=6)
    assert "Did you mean 'fairing-job-1'?" in err


def test_a_cluster_that_is_lost_is_told_in_a_few_lines_by_each_command(at, stand):
    at.environ["KUBECONFIG"] = str(at.folder / "lost")
    config = at.place.setup.kubeconfig.read_text()
    port = str(stand.kubernetes_front.port)
    (at.folder / "lost").write_text(config.replace(f":{port}", ":1"))

    for words in (["status"], ["logs", "x"], ["delete", "x"], ["cleanup", "-n"], ["predict", "x", "[1]"]):
        out, err = at.type(*words, code=6)
        assert out == ""
        assert len(err.splitlines()) <= 3, err
        document = json.loads(at.type(*words, "--json", code=6)[0])
        assert document["error"]["code"].startswith("unreachable")
        assert document["error"]["hint"]


def test_logs_of_an_endpoint_go_on_in_the_pod_that_replaces_its_own(on):
    on.place.endpoint("fairing-endpoint-1", FOREVER.replace("print('on', flush=True)", "print('on '+'x', flush=True)"))
    end = time.monotonic() + 30
    while not on.place.names("Pod"):
        assert time.monotonic() < end
    with on.start("logs", "fairing-endpoint-1", "-f") as child:
        assert child.stdout.readline() == "on x\n"
        (pod,) = on.place.names("Pod")
        on.place.workloads.delete("Pod", pod, wait=30)
        line = child.stdout.readline()
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=20)

    assert line.startswith("[fairing-endpoint-1-")
    assert line.endswith("] on x\n")
