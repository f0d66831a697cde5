"""Runs, their logs and their streams, as the side panel asks for them; runs outlive the server."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

EVENTS = [{"kind": "run-started", "time": 1.0, "cells": 300}] + [
    {"kind": "output", "time": 2.0, "cell": number, "cells": 300, "stream": "stdout", "text": f"line {number}\n"}
    for number in range(1, 300)
]


def append(folder, *events):
    with (folder / "events.jsonl").open("ab") as file:
        file.writelines(json.dumps(each).encode() + b"\n" for each in events)


def test_a_run_that_has_ended_is_told_whole_and_then_its_end(server):
    folder = server.make_run(EVENTS, state="succeeded", ended=3.0)
    found = list(server.events(f"runs/{folder.name}/events"))
    assert [data for _, name, data in found if name == "event"] == EVENTS
    _, name, end = found[-1]
    assert (name, end["id"], end["state"], end["is_active"]) == ("end", folder.name, "succeeded", False)


@pytest.mark.parametrize("header", [False, True])
def test_a_stream_that_broke_goes_on_without_loss_or_doubling(server, header):
    folder = server.make_run(EVENTS, state="succeeded", ended=3.0)
    seen, last = [], 0
    for _ in range(10):
        headers, query = ({"Last-Event-ID": str(last)}, {}) if header else ({}, {"offset": last})
        answer = server.ask("GET", f"runs/{folder.name}/events", headers=headers, params=query)
        for block in answer.text.split("\n\n")[: len(EVENTS) // 9]:
            if "event: event" in block:
                lines = dict(line.split(": ", 1) for line in block.splitlines())
                seen.append(json.loads(lines["data"]))
                last = int(lines["id"])
    assert seen == EVENTS


def test_a_stream_goes_on_as_more_happens_and_says_that_it_lives(server):
    import os

    from fairing_az_jupyter import machine

    folder = server.make_run(EVENTS[:2], state="running", process=machine.process_name(os.getpid()))
    events = server.events(f"runs/{folder.name}/events")
    assert [next(events)[2] for _ in range(2)] == EVENTS[:2]
    assert next(events)[1] == "heartbeat"
    append(folder, *EVENTS[2:4])
    more = [each[2] for each in (next(events) for _ in range(6)) if each[1] == "event"]
    assert more[:2] == EVENTS[2:4]
    events.close()


def test_the_headers_of_a_stream_keep_proxies_from_holding_it_back(server):
    folder = server.make_run(EVENTS, state="succeeded")
    headers = server.ask("GET", f"runs/{folder.name}/events").headers
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-cache, no-transform"
    assert headers["X-Accel-Buffering"] == "no"


@pytest.mark.parametrize("query", ["offset=-1", "offset=x", "offset=999999999", "offset=1e400"])
def test_a_place_that_is_none_is_refused_before_the_stream_begins(server, query):
    folder = server.make_run(EVENTS, state="succeeded")
    answer = server.ask("GET", f"runs/{folder.name}/events?{query}")
    assert answer.status_code in {400, 422}
    assert answer.json()["message"]


def test_a_run_that_was_lost_ends_as_lost(server, run_python):
    name = run_python("from fairing_az_jupyter.machine import process_name; print(process_name())").stdout.strip()
    folder = server.make_run(EVENTS[:1], state="running", process=name)
    (folder / "claim-1").write_text(json.dumps({"process": name}))
    *_, (_, event, end) = server.events(f"runs/{folder.name}/events")
    assert (event, end["state"]) == ("end", "lost")


def test_a_record_that_is_deleted_ends_its_stream_with_an_error(server):
    import os
    import shutil

    from fairing_az_jupyter import machine

    folder = server.make_run(EVENTS[:1], state="running", process=machine.process_name(os.getpid()))
    events = server.events(f"runs/{folder.name}/events")
    next(events)
    shutil.rmtree(folder)
    last = [each for each in events if each[1] != "heartbeat"][-1]
    assert (last[1], last[2]["code"]) == ("error", "run-unknown")


@pytest.mark.parametrize("run", ["20200101-000000.000-none-0000", "last", "index.jsonl", "sweeps"])
def test_a_run_that_is_not_there_is_a_404(server, run):
    server.make_run(state="succeeded")
    for path in ("", "/events", "/log", "/log/file", "/notebook", "/log/search?text=x"):
        answer = server.ask("GET", f"runs/{run}{path}")
        assert answer.status_code == 404, answer.text
    assert server.ask("POST", f"runs/{run}/cancel").status_code == 404


def test_a_part_of_a_name_cancels_nothing(server):
    folder = server.make_run(state="running")
    assert server.ask("POST", f"runs/{folder.name[:-2]}/cancel").status_code == 404
    assert not (folder / "cancel").exists()


def test_cancel_reaches_the_run_and_is_refused_once_it_has_ended(server):
    import os

    from fairing_az_jupyter import machine

    folder = server.make_run(state="running", process=machine.process_name(os.getpid()))
    assert server.ask("POST", f"runs/{folder.name}/cancel").json()["id"] == folder.name
    assert (folder / "cancel").exists()
    ended = server.make_run(state="succeeded")
    assert server.ask("POST", f"runs/{ended.name}/cancel").status_code == 409


def test_the_list_has_the_newest_first_its_total_and_its_parts(server):
    names = [server.make_run(state="cancelled").name for _ in range(5)]
    found = server.ask("GET", "runs?state=cancelled&limit=2&offset=1").json()
    assert [run["id"] for run in found["runs"]] == sorted(names, reverse=True)[1:3]
    assert found["total"] >= 5
    assert server.ask("GET", "runs?limit=0").status_code == 422
    assert server.ask("GET", "runs?state=odd").status_code == 422


def test_a_run_has_paths_only_of_files_that_jupyter_shows(server):
    (server.root / "prices.ipynb").write_text("{}")
    folder = server.make_run(state="succeeded")
    found = server.ask("GET", f"runs/{folder.name}").json()
    assert (found["notebook_path"], found["output_path"]) == ("prices.ipynb", None)
    (server.root / "prices.executed.ipynb").write_text("{}")
    assert server.ask("GET", f"runs/{folder.name}").json()["output_path"] == "prices.executed.ipynb"
    listed = server.ask("GET", "runs?notebook=prices.ipynb").json()["runs"]
    assert folder.name in {run["id"] for run in listed}


def test_a_log_is_read_by_windows_searched_and_downloaded(server):
    text = "".join(f"line {number} é\n" for number in range(5000))
    folder = server.make_run(state="succeeded", log=text.encode())
    path = f"runs/{folder.name}/log"
    window = server.ask("GET", f"{path}?first=-2&count=10").json()
    assert window == {"first": 4998, "lines": ["line 4998 é", "line 4999 é"], "total": 5000, "ended": True}
    assert server.ask("GET", f"{path}/search", params={"text": "LINE 77 É"}).json()["line"] == 77
    found = server.ask("GET", f"{path}/search", params={"text": "line 77 ", "first": 4999, "backward": "true"})
    assert found.json()["line"] == 77
    file = server.ask("GET", f"{path}/file")
    assert file.content.decode() == text
    assert "attachment" in file.headers["Content-Disposition"]
    for query in ("count=2001", "count=-1", "first=x"):
        assert server.ask("GET", f"{path}?{query}").status_code == 422
    for query in ("", "text=", "text=%0A", "text=x&first=-1"):
        assert server.ask("GET", f"{path}/search?{query}").status_code == 422


def test_the_executed_notebook_is_downloaded_or_not_there(server):
    folder = server.make_run(state="succeeded")
    (server.root / "prices.executed.ipynb").unlink(missing_ok=True)
    assert server.ask("GET", f"runs/{folder.name}/notebook").status_code == 404
    (folder / "executed.ipynb").write_text('{"cells": []}')
    answer = server.ask("GET", f"runs/{folder.name}/notebook")
    assert answer.headers["Content-Type"].startswith("application/x-ipynb+json")
    assert answer.json() == {"cells": []}


def test_runs_are_compared(server):
    names = [server.make_run(state="succeeded", metrics={"rmse": value}).name for value in (1, 2)]
    found = server.ask("POST", "runs/compare", {"runs": names}).json()
    assert found["metrics"] == ["rmse"]
    assert [run["metrics"]["rmse"] for run in found["runs"]] == [1, 2]


def test_active_runs_are_told_at_once_and_whenever_one_begins_or_ends(server):
    import os

    from fairing_az_jupyter import machine
    from fairing_az_jupyter.records.status import read_status, write_status

    events = server.events("active-runs/events", seconds=60)
    found = (each[2] for each in events if each[1] == "runs")
    first = next(found)
    folder = server.make_run(state="running", process=machine.process_name(os.getpid()))
    told = next(found)
    while folder.name not in {run["id"] for run in told["runs"]}:
        told = next(found)
    assert told["changed"] > first["changed"]
    write_status(folder, {**read_status(folder), "state": "succeeded"}, final=True)
    while folder.name in {run["id"] for run in next(found)["runs"]}:
        pass
    events.close()


def test_a_client_that_does_not_read_takes_no_memory_and_holds_up_nobody(server):
    big = {"kind": "output", "time": 1.0, "cell": 1, "cells": 1, "stream": "stdout", "text": "x" * 100_000}
    folder = server.make_run([big] * 1500, state="succeeded")
    worker = server.worker()
    before = worker.memory_info().rss
    host, port = server.site.split("/")[2].split(":")
    with socket.create_connection((host, int(port))) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        path = "/" + server.url.split("/", 3)[3] + f"runs/{folder.name}/events"
        slow.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: token {_token()}\r\n\r\n".encode())
        time.sleep(2)
        assert server.ask("GET", "profiles").elapsed.total_seconds() < 2
        import psutil

        assert worker.memory_info().rss - before < 40_000_000
        assert psutil.Process(server.process.pid).memory_info().rss < 400_000_000
    assert server.ask("GET", "profiles").status_code == 200


def _token():
    from tests.server.conftest import TOKEN

    return TOKEN


def test_the_server_answers_at_once_during_a_check_and_twenty_streams(server):
    import os

    from fairing_az_jupyter import machine

    folder = server.make_run(EVENTS, state="running", process=machine.process_name(os.getpid()))
    stop = threading.Event()

    def follow():
        events = server.events(f"runs/{folder.name}/events", seconds=60)
        for _ in events:
            if stop.is_set():
                break
        events.close()

    threads = [threading.Thread(target=follow, daemon=True) for _ in range(20)]
    for thread in threads:
        thread.start()
    check = server.ask("POST", "checks", {"values": {"backend": "KubeflowAzureBackend"}}).json()["id"]
    import requests

    times = []
    with requests.Session() as session:
        for _ in range(40):
            begin = time.perf_counter()
            answer = session.get(f"{server.site}api/status", headers={"Authorization": f"token {_token()}"}, timeout=10)
            times.append(time.perf_counter() - begin)
            assert answer.status_code == 200
            append(folder, EVENTS[1])
            time.sleep(0.02)
    stop.set()
    append(folder, EVENTS[1])
    for thread in threads:
        thread.join(10)
    *_, (_, name, end) = server.events(f"checks/{check}/events")
    assert name == "end"
    assert end["count"] > 5
    # A bound that also a busy machine keeps; benchmarks/bench_server.py has the figure itself.
    assert sorted(times)[len(times) // 2] < 0.25


def test_a_check_is_followed_resumed_and_forgotten(server):
    made = server.ask("POST", "checks", {"values": {"backend": "LocalBackend"}})
    assert made.status_code == 201
    path = f"checks/{made.json()['id']}"
    every = [each for each in server.events(f"{path}/events") if each[1] != "heartbeat"]
    *results, (last, name, end) = every
    assert name == "end"
    assert end["count"] == len(results) == last > 0
    assert [number for number, _, _ in results] == list(range(1, len(results) + 1))
    assert {"check", "status", "message", "fixes"} <= results[0][2].keys()
    again = [each for each in server.events(f"{path}/events", offset=1) if each[1] != "heartbeat"]
    assert again == every[1:]
    assert server.ask("DELETE", path).status_code == 204
    assert server.ask("GET", f"{path}/events").status_code == 404
    assert server.ask("DELETE", path).status_code == 404


def test_a_run_is_started_followed_and_repeated(server):
    server.write_notebook("adds.ipynb", "print('sum', a + b)", parameters="a = 1\nb = 2")
    body = {"notebook": "adds.ipynb", "parameters": {"a": 40}, "output": "out.ipynb"}
    started = server.ask("POST", "runs", body)
    assert started.status_code == 201, started.text
    run = started.json()
    assert run["notebook_path"] == "adds.ipynb"
    told = list(server.events(f"runs/{run['id']}/events", seconds=60))
    assert told[-1][2]["state"] == "succeeded", told[-1]
    assert told[-1][2]["output_path"] == "out.ipynb"
    assert any("sum 42" in (data or {}).get("text", "") for _, name, data in told if name == "event")
    again = server.ask("POST", f"runs/{run['id']}/retry", {"as_it_was": True})
    assert again.status_code == 201
    assert again.json()["retry_of"] == run["id"]
    assert list(server.events(f"runs/{again.json()['id']}/events", seconds=60))[-1][2]["state"] == "succeeded"


def test_a_run_that_can_not_be_is_refused_with_the_reason(server):
    server.write_notebook("one.ipynb", parameters="a = 1")
    answer = server.ask("POST", "runs", {"notebook": "one.ipynb", "parameters": {"b": 1}})
    assert answer.status_code == 422
    assert "'b'" in answer.json()["message"]
    answer = server.ask("POST", "runs", {"notebook": "one.ipynb", "cell_timeout": -1})
    assert answer.json()["errors"][0]["field"] == "cell_timeout"


def test_a_run_outlives_a_server_that_is_killed_and_each_event_is_told_once(new_server):
    server = new_server()
    server.write_notebook(
        "long.ipynb", "import time\nfor n in range(12):\n    print('tick', n, flush=True)\n    time.sleep(0.5)"
    )
    run = server.ask("POST", "runs", {"notebook": "long.ipynb"}).json()["id"]
    seen, last = [], 0
    for number, name, data in server.events(f"runs/{run}/events", seconds=60):
        if name == "event":
            seen.append(data)
            last = number
        if data and "tick 1" in str(data.get("text")):
            break
    server.kill()
    server.start()
    for _, name, data in server.events(f"runs/{run}/events", seconds=60, offset=last):
        if name == "event":
            seen.append(data)
        else:
            end = data or {}
    assert end["state"] == "succeeded", end
    recorded = (server.home / "fairing" / "runs" / run / "events.jsonl").read_text().splitlines()
    assert seen == [json.loads(line) for line in recorded]
    text = "".join(each.get("text") or "" for each in seen if each["kind"] == "output")
    assert [line for line in text.splitlines() if line.startswith("tick")] == [f"tick {n}" for n in range(12)]


def test_a_local_endpoint_is_launched_from_a_training_listed_asked_and_deleted(server):
    (server.root / "model.py").write_text(
        "from pathlib import Path\n\n"
        "class Doubles:\n"
        "    def train(self):\n        Path('factor.txt').write_text('2')\n\n"
        "    def predict(self, X, feature_names=None):\n"
        "        return [float(Path('factor.txt').read_text()) * row[0] for row in X]\n"
    )
    sources = {"values": {"backend": "LocalBackend"}}
    body = {"kind": "train", "notebook": "model.py", "task": "Doubles", **sources}
    trained = server.ask("POST", "launches", body, timeout=60).json()["id"]
    ended = next(data for _, event, data in server.events(f"runs/{trained}/events", seconds=120) if event == "end")
    assert ended["state"] == "succeeded", ended
    for wrong, code in (({"from_job": trained}, "from-job"), ({"kind": "deploy", "from_job": "x"}, "launch-unknown")):
        answer = server.ask("POST", "launches", {**body, **wrong})
        assert (answer.status_code // 100, answer.json()["code"]) == (4, code), answer.text
    body |= {"kind": "deploy", "from_job": trained, "from_files": ["*.txt"]}
    started = server.ask("POST", "launches", body, timeout=60)
    assert started.status_code == 201, started.text
    run = started.json()["id"]
    name = ""
    for _, event, data in server.events(f"runs/{run}/events", seconds=120):
        assert event != "end", data
        if event == "event" and data["kind"] == "endpoint":
            name = data["name"]
            break
    listed = server.ask("POST", "endpoints/list", sources).json()
    assert [each["run"] for each in listed["endpoints"] if each["name"] == name] == [run]
    predicted = server.ask("POST", f"endpoints/{name}/predict", {"sources": sources, "data": "[[21.0]]"}, timeout=60)
    assert predicted.json()["values"] == [42.0], predicted.text
    refused = server.ask("POST", f"endpoints/{name}/predict", {"sources": sources, "data": "/etc/passwd"})
    assert 400 <= refused.status_code < 500
    assert "root:" not in refused.text
    assert server.ask("POST", f"endpoints/{name}/delete", sources, timeout=60).json() == {"deleted": name}
    assert server.ask("POST", "endpoints/list", sources).json()["endpoints"] == []
    assert server.ask("POST", f"endpoints/{name}/delete", sources).status_code == 404
