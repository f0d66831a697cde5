"""The worker: begun when it is needed and again when it has died, gone with the server, and in nobody's way."""

from __future__ import annotations

import os
import socket
import threading
import time

import psutil
import pytest

from fairing_az_jupyter.frontends.server import dispatch


def test_no_worker_runs_before_it_is_needed_and_one_after(new_server):
    server = new_server()
    assert server.workers() == []
    server.worker()
    server.worker()
    assert len(server.workers()) == 1


def test_the_server_process_loads_no_sdk(run_python):
    loaded = run_python(
        "import sys; from fairing_az_jupyter.frontends.server import app, openapi; "
        "print(*(name for name in ('azure', 'kubernetes', 'kubeflow', 'pandas', 'numpy', 'papermill', "
        "'fairing_az_jupyter.services') if name in sys.modules))"
    )
    assert loaded.stdout.strip() == ""


def test_after_the_worker_was_killed_the_next_request_works(new_server, until):
    server = new_server()
    first = server.worker()
    first.kill()
    until(lambda: not first.is_running() or first.status() == psutil.STATUS_ZOMBIE)
    until(lambda: not server.workers())
    assert server.ask("GET", "profiles").status_code == 200
    assert server.worker().pid != first.pid


def test_a_request_whose_worker_is_killed_says_so_and_streams_end_without_end(new_server, until):
    server = new_server()
    server.worker()
    ended = threading.Event()
    names = []

    def follow():
        try:
            names.extend(name for _, name, _ in server.events("active-runs/events"))
        except OSError:
            names.append("broken")
        ended.set()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    until(lambda: names)
    server.worker().kill()
    assert ended.wait(10)
    assert names[0] == "runs"
    assert not {"end", "error"} & set(names)
    assert server.ask("GET", "profiles").status_code == 200


def test_when_the_server_is_killed_the_worker_ends(new_server, until):
    server = new_server()
    worker = server.worker()
    server.kill()
    until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, 10)


def test_when_the_server_ends_the_worker_has_ended_also_in_the_middle_of_a_stream(new_server):
    server = new_server()
    worker = server.worker()
    threading.Thread(target=lambda: list(_quiet(server.events("active-runs/events"))), daemon=True).start()
    time.sleep(0.5)
    server.stop()
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def _quiet(events):
    try:
        yield from events
    except OSError:
        return


def test_the_worker_holds_none_of_the_servers_sockets(new_server):
    server = new_server()
    worker = server.worker()
    port = int(server.site.split(":")[2].split("/")[0])
    assert [each for each in psutil.net_connections() if each.pid == worker.pid] == []
    os.kill(worker.pid, 19)  # it can't end by itself now
    try:
        server.kill()
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", port))
    finally:
        os.kill(worker.pid, 18)


def test_ctrl_c_does_not_reach_the_worker(new_server):
    server = new_server()
    worker = server.worker()
    assert os.getpgid(worker.pid) != os.getpgid(server.process.pid)
    os.kill(worker.pid, 2)
    time.sleep(0.3)
    assert server.worker().pid == worker.pid


def test_modules_of_the_users_folder_shadow_none_of_ours(new_server, tmp_path):
    for name in ("secrets", "settings", "kubernetes", "pydantic", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')\n")
    server = new_server()
    server.worker()
    before = server.process.pid
    for name in ("secrets", "settings", "kubernetes", "pydantic"):
        (server.root / f"{name}.py").write_text("raise SystemExit('shadowed')\n")
    assert server.ask("POST", "checks", {}).status_code == 201
    assert server.process.pid == before


def test_what_libraries_print_does_not_get_between_the_answers(run_python):
    done = run_python(
        "import json, subprocess, sys\n"
        "from fairing_az_jupyter.frontends.server.frames import frame\n"
        "code = '''\n"
        "from fairing_az_jupyter.frontends.server import dispatch, worker\n"
        "import os\n"
        "def noisy(route, call):\n"
        "    print('noise'); os.system('echo more noise'); os.write(1, b'raw')\n"
        "    return {'ok': True}\n"
        "dispatch.carried_out = noisy\n"
        "worker.serve()\n"
        "'''\n"
        "head = {'id': 1, 'operation': 'settings.profiles', 'names': [], 'query': {}, 'root': None, 'hidden': False,\n"
        "        'base_url': '/'}\n"
        "child = subprocess.Popen([sys.executable, '-c', code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,\n"
        "    stderr=subprocess.DEVNULL)\n"
        "child.stdin.write(frame(head)); child.stdin.flush()\n"
        "line = child.stdout.readline(); data = child.stdout.read(json.loads(line)['size'])\n"
        "child.stdin.close()\n"
        "print(child.stdout.read(), json.loads(data), child.wait(20))\n"
    )
    assert done.stdout.strip() == "b'' {'ok': True} 0"


def test_a_bug_is_a_500_without_details_and_a_line_in_the_log(new_server, tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'worker.serve' in ' '.join(getattr(sys, 'orig_argv', [])):\n"
        "    from fairing_az_jupyter.settings.profiles import ProfileStore\n"
        "    def broken(self): raise ZeroDivisionError('marked-secret-text')\n"
        "    ProfileStore.list = broken\n"
    )
    import sys

    server = new_server(PYTHONPATH=os.pathsep.join([str(folder), *filter(None, sys.path)]))
    answer = server.ask("GET", "profiles")
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert "ZeroDivisionError" in server.log
    assert "operations/settings.py" in server.log
    assert "marked-secret-text" not in server.log + answer.text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": float("-inf")}, (1, {2: {3}}), object])
def test_what_json_does_not_know_becomes_text(value):
    import json

    json.dumps(dispatch.plain(value), allow_nan=False)
