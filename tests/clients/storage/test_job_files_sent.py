"""What a job has written arrives in Blob Storage: by its pod's program, in a real Azurite, over lines that break."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from fairing_az_jupyter.fairing.job_program.job import NOT_SENT
from tests.clients.job_files_scene import CONTAINER
from tests.stand import refusals
from tests.stand.authority import Authority
from tests.stand.faults import Fault
from tests.stand.forwarding import Forwarder


@pytest.fixture
def front(job, blobs, bundle, tmp_path):
    """A proxy before Azurite, through which the job's links lead, and that fails as it is told."""
    authority = Authority(tmp_path)
    address, _, _ = blobs.rpartition("/")
    behind = Forwarder(address, ssl.create_default_context(cafile=bundle))
    fault = Fault(authority, behind, refusals.blob)
    for name in ("files.tar", "manifest.json"):
        job.link(name, via=fault.url)
    job.environ["SSL_CERT_FILE"] = str(authority.bundle)
    yield fault
    fault.close()
    behind.close()


WRITES = """
import os, pathlib
pathlib.Path("sub").mkdir()
pathlib.Path("sub/model.dat").write_bytes(b"model" * 1000)
pathlib.Path("empty").touch()
print("trained")
"""


def test_what_a_program_writes_arrives_byte_for_byte(job):
    code, output = job.run(WRITES)

    assert (code, output) == (0, "trained\n")
    assert job.arrived() == {"sub/model.dat": b"model" * 1000, "empty": b""}
    manifest = job.manifest()
    assert (manifest["format"], manifest["complete"], manifest["left_out"]) == (1, True, [])
    assert (manifest["result"], manifest["error"]) == (None, None)
    assert abs(manifest["files"][0]["modified"] - time.time()) < 60


def test_a_large_file_and_many_small_ones_arrive(job):
    code, output = job.run(
        """
        import random
        random.seed(1)
        open("large", "wb").write(random.randbytes((20 << 20) + 7))
        open("exact", "wb").write(bytes(12 << 20))
        for i in range(3000): open(f"small-{i}", "w").write(str(i) * (i % 50))
        """
    )

    assert (code, output) == (0, "")
    found = job.arrived()
    assert len(found) == 3002
    assert found["large"] == (job.folder / "large").read_bytes()
    assert found["exact"] == bytes(12 << 20)
    assert found["small-49"] == b"49" * 49


def test_odd_names_arrive(job):
    names = ["ä ö.txt", "new\nline", "x" * 200, "/".join(["deep"] * 60), os.fsdecode(b"latin-\xe4")]
    code, _ = job.run(
        f"""
        import os
        for name in {names!r}:
            os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
            open(name, "w").write(name.encode("utf-8", "surrogateescape").hex())
        """
    )

    assert code == 0
    assert {each["path"] for each in job.manifest()["files"]} == set(names)


@pytest.mark.parametrize(
    ("end", "expected"),
    [("raise SystemExit(3)", 3), ("os.kill(os.getpid(), 9)", 137), ("os.abort()", 134), ("1 / 0", 1)],
)
def test_what_was_written_before_a_bad_end_arrives_and_the_exit_code_stays(job, end, expected):
    code, _ = job.run(WRITES + end)

    assert code == expected
    assert job.arrived()["sub/model.dat"] == b"model" * 1000
    assert job.manifest()["complete"] is True


def test_a_program_that_does_not_exist_ends_with_127(job):
    command = [sys.executable, str(job.folder / "fairing_az_job.py"), "--", "no-such-program"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=job.environ)

    assert (done.returncode, done.stderr) == (
        127,
        "fairing-az-jupyter: no-such-program can't be started: No such file or directory\n",
    )


def test_without_links_the_command_just_runs(job):
    command = [sys.executable, str(job.folder / "fairing_az_job.py"), "--", "sh", "-c", "echo hello; exit 7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=job.environ)

    assert (done.returncode, done.stdout, done.stderr) == (7, "hello\n", "")


def test_globs_and_limit_narrow_and_what_is_left_out_is_listed(job):
    code, output = job.run(
        """
        for name, size in (("a.dat", 10), ("b.dat", 90), ("c.txt", 1), ("d.dat", 20)):
            open(name, "wb").write(bytes(size))
        """,
        *("--outputs", "*.dat", "--limit", "50"),
    )

    assert code == 0
    assert job.arrived().keys() == {"a.dat", "d.dat"}
    assert {(each["path"], each["reason"]) for each in job.manifest()["left_out"]} >= {
        ("b.dat", "limit"),
        ("c.txt", "pattern"),
    }
    assert "larger than 50 bytes together. Not kept: b.dat" in output


def test_no_outputs_keeps_no_files(job):
    code, _ = job.run(WRITES, "--no-outputs")

    assert (code, job.arrived(), job.manifest()["complete"]) == (0, {}, True)


def test_files_that_rest_arrive_while_the_program_runs(job):
    process = job.start(
        """
        import time
        open("done", "w").write("one")
        while True:
            open("growing", "a").write("x")
            time.sleep(0.05)
        """,
        interval=0.5,
    )
    try:
        job.until(lambda: job.exists("manifest.json"))

        assert job.arrived() == {"done": b"one"}
        assert job.manifest()["complete"] is False
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_newer_versions_take_the_place_of_older_ones_in_the_archive(job):
    code, _ = job.run(
        """
        import os, time
        for turn in range(4):
            open("large", "wb").write(bytes([turn]) * (3 << 20))
            for name in range(5): open(f"log-{name}", "w").write(f"{turn} of {name}")
            open(f"only-{turn}", "w").write("x")
            if turn: os.remove(f"only-{turn - 1}")
            time.sleep(1.5)
        """,
        interval=0.4,
    )

    assert code == 0
    found = job.arrived()
    assert found.keys() == {"large", "only-3", *(f"log-{name}" for name in range(5))}
    assert (found["large"], found["log-4"]) == (b"\3" * (3 << 20), b"3 of 4")
    assert job.manifest()["tar"]["size"] < 4 << 20


def test_a_second_start_replaces_what_the_first_has_left(job):
    job.run("open('first', 'w').write('1')")
    first = job.manifest()["attempt"]
    (job.folder / "first").unlink()

    job.run("open('second', 'w').write('2')")

    assert job.arrived() == {"second": b"2"}
    assert job.manifest()["attempt"] != first


def test_blocks_that_another_pod_has_dropped_are_sent_again(job):
    process = job.start(
        "import time\nopen('one', 'w').write('1')\ntime.sleep(4)\nopen('two', 'w').write('2')", interval=0.3
    )
    job.until(lambda: job.exists("manifest.json"))
    client = job.store._client().get_blob_client(CONTAINER, f"outputs/{job.launch}/files.tar")  # noqa: SLF001
    client.upload_blob(b"of a pod that was thought to be gone", overwrite=True)
    process.communicate(timeout=60)

    assert process.returncode == 0
    assert job.arrived() == {"one": b"1", "two": b"2"}


BIG = "import random\nrandom.seed(2)\nopen('big', 'wb').write(random.randbytes(40 << 20))"


def test_only_blocks_that_failed_are_sent_again(job, front):
    front.drop(path="comp=block&", method="PUT", times=2, skip=1)
    front.refuse(503, path="comp=block&", method="PUT", times=1, skip=4)
    front.refuse(500, path="comp=blocklist", method="PUT", times=1)
    front.drop(path="manifest.json", method="PUT", times=1)

    code, output = job.run(BIG)

    assert (code, output) == (0, "")
    assert job.arrived()["big"] == (job.folder / "big").read_bytes()
    # Six blocks and a bit, one for the end, one more for each of the failures, and two lists of blocks.
    assert front.count("files.tar", "PUT") == 7 + 1 + 3 + 2


def test_ten_cuts_and_a_minute_without_service_cost_time_and_nothing_else(job, front):
    front.drop(path="comp=block&", method="PUT", times=10, skip=2)
    front.refuse(503, path="comp=blocklist", method="PUT")
    process = job.start(BIG)
    job.until(lambda: any(call.status == 503 for call in front.calls), 60)
    assert not job.exists("files.tar")
    time.sleep(60)
    assert process.poll() is None
    front.clear()
    output, _ = process.communicate(timeout=90)

    assert (process.returncode, output) == (0, "")
    assert job.arrived()["big"] == (job.folder / "big").read_bytes()


def test_a_service_that_asks_for_time_gets_it(job, front):
    front.throttle(3, path="comp=block&", method="PUT", times=1)
    began = time.monotonic()

    code, _ = job.run(WRITES)

    assert code == 0
    assert time.monotonic() - began > 3
    assert len(job.arrived()) == 2


def test_a_link_that_has_ended_is_read_again(job, front):
    good = (job.links / "files.tar").read_text()
    (job.links / "files.tar").write_text(good.replace("sig=", "sig=0"))
    process = job.start(WRITES)
    job.until(lambda: any(call.status == 403 for call in front.calls))
    (job.links / "files.tar").write_text(good)
    output, _ = process.communicate(timeout=60)

    assert (process.returncode, output) == (0, "trained\n")
    assert len(job.arrived()) == 2


def test_what_can_not_be_sent_ends_with_a_code_of_its_own_and_names_the_files(job, front):
    front.refuse(503, method="PUT")

    code, output = job.run(WRITES, "--retry", "2")

    assert code == NOT_SENT == 75
    assert "The files of this job could not be sent: HTTP 503" in output
    assert "Not kept: empty, sub/model.dat" in output
    assert "sig=" not in output


def test_a_failure_of_the_program_counts_more_than_one_of_the_sending(job, front):
    front.refuse(503, method="PUT")

    code, output = job.run(WRITES + "raise SystemExit(3)", "--retry", "1")

    assert code == 3
    assert "could not be sent" in output


def test_a_certificate_that_is_not_trusted_is_told_without_the_link(job, front, bundle):
    job.environ["SSL_CERT_FILE"] = bundle

    code, output = job.run(WRITES, "--retry", "1")

    assert code == NOT_SENT
    assert "the certificate is not trusted" in output
    assert "sig=" not in output


def test_sigterm_reaches_the_program_and_what_is_there_is_sent_in_time(job):
    process = job.start(
        """
        import signal, sys, time
        def end(*_):
            open("checkpoint", "w").write("saved")
            sys.exit(5)
        signal.signal(signal.SIGTERM, end)
        print("ready", flush=True)
        time.sleep(60)
        """
    )
    assert process.stdout.readline() == "ready\n"
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)

    assert process.returncode == 5
    assert time.monotonic() - began < 8
    assert job.arrived() == {"checkpoint": b"saved"}
    assert job.manifest()["complete"] is False


def test_a_program_that_does_not_heed_sigterm_is_killed_in_time_for_its_files(job):
    process = job.start(
        """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open("half", "w").write("half")
        print("ready", flush=True)
        time.sleep(60)
        """,
        *("--grace", "6"),
    )
    assert process.stdout.readline() == "ready\n"
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)

    assert process.returncode == 137
    assert time.monotonic() - began < 6
    assert job.arrived() == {"half": b"half"}


@pytest.mark.skipif(os.geteuid() != 0, reason="a process namespace of its own needs root: sudo -E make test")
def test_as_a_containers_first_process_it_ends_what_the_program_leaves_behind(job):
    code = """
    import subprocess, sys
    for i in range(20): subprocess.Popen(["sh", "-c", "(sleep 0.1 &)"])
    left = "import time, signal; signal.signal(15, signal.SIG_IGN); time.sleep(100)"
    subprocess.Popen([sys.executable, "-c", left], start_new_session=True)
    open("done", "w").write("done")
    """
    (job.folder / "program.py").write_text(textwrap.dedent(code))
    command = ["unshare", "--pid", "--fork", sys.executable, str(job.folder / "fairing_az_job.py")]
    command += ["--links", str(job.links), "--", sys.executable, "program.py"]
    began = time.monotonic()

    # What is left behind has the output open: it is at its end only when that has ended, too.
    done = subprocess.run(command, cwd=job.folder, env=job.environ, capture_output=True, check=False, timeout=60)

    assert (done.returncode, done.stdout) == (0, b"")
    assert time.monotonic() - began < 30
    assert job.arrived() == {"done": b"done"}


@contextmanager
def changing(path):
    """Change a file all the time."""
    code = "import sys\nwhile True:\n    with open(sys.argv[1], 'r+b') as file: file.write(b'x')"
    process = subprocess.Popen([sys.executable, "-c", code, str(path)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_a_file_that_changes_while_it_is_read_is_not_offered_as_whole(job):
    (job.folder / "restless").write_bytes(bytes(30 << 20))
    with changing(job.folder / "restless"):
        code, output = job.run(WRITES)

    assert code == 0
    assert job.arrived().keys() == {"sub/model.dat", "empty"}
    assert [(each["path"], each["reason"]) for each in job.manifest()["left_out"]] == [("restless", "changed")]
    assert "being changed while they were read. Not kept: restless" in output


def test_memory_stays_bounded_with_large_files_and_with_many(job):
    process = job.start(
        """
        import os
        with open("large", "wb") as file:
            for _ in range(120): file.write(os.urandom(1 << 20))
        for i in range(10000): open(f"small-{i}", "w").write("x" * 100)
        """
    )
    peak = 0
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        text = status.read_text()
        peak = max(peak, *(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM")), 0)
        time.sleep(0.05)
    process.communicate()

    assert process.returncode == 0
    assert len(job.manifest()["files"]) == 10001
    assert peak < 64 * 1024, f"{peak} kB"


def test_a_link_writes_its_blob_and_nothing_else(store, bundle):
    container = f"linked-{time.time_ns()}"
    store.ensure_container(container)
    client = store._client().get_container_client(container)  # noqa: SLF001
    client.upload_blob("other", b"other")
    link = store.write_sas(container, "outputs/ä/files.tar").reveal()
    context = ssl.create_default_context(cafile=bundle)

    def asked(method, url, **headers):
        data = b"x" if method == "PUT" else None
        request = Request(
            url, method=method, data=data, headers={name.replace("_", "-"): each for name, each in headers.items()}
        )
        try:
            with urlopen(request, context=context, timeout=10) as answer:
                return answer.status
        except HTTPError as error:
            error.close()
            return error.code

    block = {"x_ms_blob_type": "BlockBlob"}
    assert asked("PUT", link, **block) == 201
    assert asked("PUT", link, **block) == 201
    assert asked("PUT", f"{link}&comp=block&blockid=AAAA") == 201
    assert asked("GET", link) == 403
    assert asked("GET", f"{link}&comp=blocklist") == 403
    assert asked("DELETE", link) == 403
    other = link.replace("outputs/%C3%A4/files.tar", "other")
    assert other != link
    assert [asked("PUT", other, **block), asked("GET", other), asked("DELETE", other)] == [403, 403, 403]
    listing = link.replace("/outputs/%C3%A4/files.tar", "") + "&restype=container&comp=list"
    assert asked("GET", listing) == 403
    assert client.download_blob("other").readall() == b"other"
    assert "spr=https" in link
    assert "sig" not in repr(store.write_sas(container, "x"))
