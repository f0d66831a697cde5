"""A program that is started anew finds its checkpoints again: by its pod's program, in a real Azurite."""

from __future__ import annotations

import itertools
import ssl
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.clients.checkpoints_scene import (
    TRAINING,
    Pods,
    lost_with_its_node,
    model_of,
    rounds_in,
    starting,
    until_round,
)
from tests.stand import refusals
from tests.stand.authority import Authority
from tests.stand.faults import Fault
from tests.stand.forwarding import Forwarder

FIRST = "No checkpoint of this job was saved before. The files in ckpt/ are saved every"


@pytest.fixture
def pods(job, tmp_path):
    return Pods(job, tmp_path)


@pytest.fixture
def front(pods, blobs, bundle, tmp_path):
    """A proxy before Azurite, through which the link to the checkpoint leads, and that fails as it is told."""
    authority = Authority(tmp_path)
    address, _, _ = blobs.rpartition("/")
    behind = Forwarder(address, ssl.create_default_context(cafile=bundle))
    fault = Fault(authority, behind, refusals.blob)
    both = tmp_path / "both.pem"
    both.write_text(Path(authority.bundle).read_text() + Path(bundle).read_text())
    pods.first.environ["SSL_CERT_FILE"] = str(both)
    yield fault
    fault.close()
    behind.close()


def ended(process, code=0):
    output = process.communicate(timeout=60)[0]
    assert process.returncode == code, output
    return output


def test_a_training_that_is_evicted_three_times_has_the_same_model_and_repeats_an_interval_at_most(pods):
    code = TRAINING.format(rounds=80, wait=0.03)
    outputs = []
    for last in (15, 37, 58):
        process = starting(pods.next(), code)
        output = until_round(process, last)
        process.terminate()
        outputs.append(output + ended(process, 143))
    pod = pods.next()
    outputs.append(ended(starting(pod, code)))

    assert (pod.folder / "model.dat").read_bytes() == model_of(80)
    repeated = [rounds_in(a)[-1] + 1 - rounds_in(b)[0] for a, b in itertools.pairwise(outputs)]
    assert max(repeated) <= 10, repeated
    assert FIRST in outputs[0]
    assert "Restored 3 files (153 B) of ckpt/, saved at " in outputs[-1]
    assert " UTC by the pod before this one.\nbegins with 50\n" in outputs[-1]
    # At the end they are outputs as any other file is.
    assert pods.first.arrived().keys() == {"model.dat", "ckpt/round-60", "ckpt/round-70", "ckpt/round-80"}


def test_a_node_that_is_lost_without_notice_loses_an_interval_at_most(pods):
    code = TRAINING.format(rounds=100, wait=0.04)
    process = starting(pods.next(), code, interval=1)
    output = until_round(process, 79)
    output += lost_with_its_node(process)
    again = ended(starting(pods.next(), code))

    # An interval, its looks, and the rounds since the last checkpoint.
    assert 0 < rounds_in(output)[-1] + 1 - rounds_in(again)[0] < (1 + 0.5 + 0.2) / 0.04 + 10
    assert rounds_in(again)[-1] == 100


BOOSTED = """
import glob, sys, time
import numpy, xgboost
rows = numpy.random.default_rng(1).normal(size=(200, 5))
data = xgboost.DMatrix(rows, label=rows.sum(axis=1))
models = [xgboost.Booster(model_file=path) for path in glob.glob("ckpt/*.ubj")]
last = max(models, key=xgboost.Booster.num_boosted_rounds, default=None)
done = last.num_boosted_rounds() if last else 0
print("begins with", done, flush=True)
class Shown(xgboost.callback.TrainingCallback):
    def after_iteration(self, model, epoch, evals_log):
        print("round", done + epoch + 1, flush=True)
        time.sleep(0.03)
saving = xgboost.callback.TrainingCheckPoint("ckpt", interval=10, name=f"from-{done}")
trained = xgboost.train({"nthread": 1}, data, 60 - done, callbacks=[saving, Shown()], xgb_model=last)
undisturbed = xgboost.train({"nthread": 1}, data, 60)
print("the same model:", trained.save_raw("json") == undisturbed.save_raw("json"))
"""


def test_xgboosts_own_checkpoints_work_unchanged(pods):
    process = starting(pods.next(), BOOSTED)
    output = until_round(process, 36)
    process.terminate()
    output += ended(process, 143)
    again = ended(starting(pods.next(), BOOSTED))

    assert "Restored " in again
    assert rounds_in(output)[-1] + 1 - rounds_in(again)[0] <= 10, (output, again)
    assert rounds_in(again)[-1] == 60
    assert "the same model: True" in again


LARGE = """
import os, sys, time
os.makedirs("ckpt", exist_ok=True)
print("found", sorted(os.listdir("ckpt")), flush=True)
def save(name, size):
    with open("ckpt/x.tmp", "wb") as file: file.write((name.encode() * size)[:size] if size < 99 else bytes(size))
    os.replace("ckpt/x.tmp", "ckpt/" + name)
"""


def test_what_breaks_off_while_it_is_sent_leaves_the_version_before(pods, front):
    code = LARGE + "save('one', 13 << 20)\ntime.sleep(3)\nsave('two', 13 << 20)\nos.remove('ckpt/one')\ntime.sleep(60)"
    process = starting(pods.next(front.url), code, interval=0.5)
    pods.first.until(lambda: "one" in pods.saved())
    front.refuse(503, path="comp=blocklist", method="PUT")
    pods.first.until(lambda: any(call.status == 503 for call in front.calls))
    lost_with_its_node(process)

    assert {name: len(content) for name, content in pods.saved().items()} == {"one": 13 << 20}
    assert "found ['one']" in ended(starting(pods.next(), LARGE))


def test_only_what_has_changed_is_sent_again_and_what_was_deleted_is_gone_also_after_a_restart(pods, front):
    process = starting(
        pods.next(front.url), LARGE + "save('large', 13 << 20)\nsave('a', 9)\ntime.sleep(60)", interval=0.5
    )
    pods.first.until(lambda: pods.saved().keys() == {"large", "a"})
    process.terminate()
    ended(process, 143)
    before = front.count("checkpoints.tar", "PUT")
    code = LARGE + "os.remove('ckpt/a')\nsave('b', 9)\ntime.sleep(60)"
    process = starting(pods.next(front.url), code, interval=0.5)
    pods.first.until(lambda: pods.saved().keys() == {"large", "b"})
    process.terminate()
    ended(process, 143)

    # A mark, the file, the list before it, the end of the archive, and the list of blocks.
    assert front.count("checkpoints.tar", "PUT") - before == 5
    assert len(pods.saved()["large"]) == 13 << 20


@pytest.mark.parametrize("end", ["time.sleep(60)", "os.kill(os.getpid(), 9)"])
def test_a_file_that_was_being_written_when_the_program_was_killed_stays_as_it_was_saved_before(pods, end):
    code = LARGE + "save('last', 9)\ntime.sleep(2)\nfile = open('ckpt/last', 'wb')\nfile.write(b'x' * 100_000)\n"
    process = starting(pods.next(), f"{code}file.flush()\nprint('half', flush=True)\n{end}", interval=0.5)
    while process.stdout.readline() != "half\n":
        pass
    process.terminate()
    output = process.communicate(timeout=30)[0]

    assert pods.saved() == {"last": b"lastlastl"}
    assert "Being written when the program was ended, and left as saved before: last" in output


def test_a_program_that_saves_at_sigterm_continues_from_there(pods):
    code = (
        LARGE
        + """
import signal
def end(*_):
    save("at-the-end", 10)
    sys.exit(1)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""
    )
    process = starting(pods.next(), code)
    while process.stdout.readline() != "ready\n":
        pass
    process.terminate()
    ended(process, 1)

    assert "found ['at-the-end']" in ended(starting(pods.next(), LARGE))


def test_a_program_that_does_not_heed_sigterm_is_killed_in_time_for_its_checkpoint(pods):
    code = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nsave('whole', 9)\n"
    code += "half = open('ckpt/half', 'w')\nhalf.write('x' * 9999)\nprint('ready', flush=True)\ntime.sleep(60)"
    process = starting(pods.next(), LARGE + code, "--grace", "6")
    while process.stdout.readline() != "ready\n":
        pass
    began = time.monotonic()
    process.terminate()
    ended(process, 137)

    assert time.monotonic() - began < 6
    assert pods.saved() == {"whole": b"wholewhol"}


def test_a_log_that_is_always_open_does_not_keep_the_others_from_being_saved(pods):
    code = (
        LARGE
        + """
log = open("ckpt/log", "w", buffering=1)
os.makedirs("ckpt/step-1")
open("ckpt/step-1/a", "w").write("a")
open("ckpt/step-1/b", "w").write("b")
while True:
    log.write("line\\n")
    time.sleep(0.01)
"""
    )
    process = starting(pods.next(), code, interval=0.5)
    pods.first.until(lambda: pods.saved() == {"step-1/a": b"a", "step-1/b": b"b"})
    lost_with_its_node(process)


@pytest.mark.parametrize("how", ["garbage", "bytes", "empty", "another job"])
def test_a_damaged_checkpoint_is_told_and_the_program_begins_without_it(pods, how):
    ended(starting(pods.next(), LARGE + "save('model', 3 << 20)\nsys.exit(1)"), 1)
    data = pods.client.download_blob().readall()
    if how == "another job":
        pod = pods.next()
        (pods.first.links / "uid").write_text("uid-2")
    else:
        changed = bytearray(data)
        changed[len(data) // 2] ^= 1
        contents = {"garbage": b"<html>" * 1000, "bytes": bytes(changed), "empty": b""}
        pods.client.upload_blob(contents[how], overwrite=True)
        pod = pods.next()
    output = ended(starting(pod, LARGE + "save('new', 9)\nsys.exit(1)"), 1)

    why = {"bytes": "the SHA-256 of 'model' is not", "another job": "it is of another job"}.get(how, "")
    assert f"The checkpoint of this job can't be restored: {why}" in output
    assert "The program begins without it.\nfound []\n" in output
    assert pods.saved().keys() == {"new"}
    assert "sig=" not in output


def test_of_two_pods_of_a_job_the_one_that_was_started_later_saves(pods):
    code = (
        LARGE
        + "name = sys.argv[0] and os.environ['POD']\nfor n in range(100):\n save(f'{name}-{n % 3}', 9)\n time.sleep(1)"
    )
    old = pods.next()
    old.environ = {**old.environ, "POD": "old"}
    first = starting(old, code, interval=0.5)
    pods.first.until(pods.saved)
    new = pods.next()
    new.environ = {**new.environ, "POD": "new"}
    second = starting(new, code, interval=0.5)
    pods.first.until(lambda: any(name.startswith("new") for name in pods.saved()))
    time.sleep(2)
    first.terminate()
    output = first.communicate(timeout=30)[0]

    assert "Another pod of this job was started after this one: ckpt/ is not saved from here any more." in output
    assert any(name.startswith("new") for name in pods.saved())
    second.terminate()
    second.communicate(timeout=30)


def test_an_answer_that_is_lost_and_a_service_that_is_busy_do_no_harm(pods, front):
    front.drop(path="comp=blocklist", method="PUT", times=1)
    front.refuse(503, path="comp=metadata", method="PUT", times=1)
    front.refuse(500, path="checkpoints.tar", method="GET", times=1)
    front.drop(path="checkpoints.tar", method="GET", times=1, skip=1)
    ended(starting(pods.next(front.url), LARGE + "save('model', 9 << 20)\nsys.exit(1)"), 1)

    output = ended(starting(pods.next(front.url), LARGE))

    assert "Restored 1 file (9 MB) of ckpt/" in output
    assert "found ['model']" in output


def test_a_service_that_can_not_be_reached_is_told_and_the_program_runs(pods, front):
    front.refuse(503, path="checkpoints.tar")

    output = ended(starting(pods.next(front.url), LARGE + "save('model', 9)", "--retry", "1"))

    assert "The checkpoint of this job can't be restored: HTTP 503" in output
    assert "found []" in output
    assert "sig=" not in output


def test_a_pod_that_is_taken_away_while_it_restores_ends_at_once_and_the_checkpoint_stays(pods, front):
    ended(starting(pods.next(), LARGE + "save('model', 9)\nsys.exit(1)"), 1)
    front.hang(path="checkpoints.tar", method="GET")
    process = starting(pods.next(front.url), LARGE + "save('new', 9)")
    pods.first.until(lambda: front.count("checkpoints.tar", "PUT") == 1)
    time.sleep(0.5)
    began = time.monotonic()
    process.terminate()

    assert ended(process, 143) == ""
    assert time.monotonic() - began < 10
    assert pods.saved() == {"model": b"modelmode"}


def test_large_checkpoints_need_little_memory_to_save_and_to_restore(pods):
    peaks = []
    for code, last in ((LARGE + "save('model', 80 << 20)\nsys.exit(1)", 1), (LARGE, 0)):
        process = starting(pods.next(), code, "--no-outputs")
        status, peak = Path(f"/proc/{process.pid}/status"), 0
        while process.poll() is None:
            lines = [line.split() for line in status.read_text().splitlines() if line.startswith("VmHWM")]
            peak = max([peak, *(int(line[1]) for line in lines)])
            time.sleep(0.05)
        peaks.append(peak)
        assert "found" in ended(process, last)

    assert max(peaks) < 64 * 1024, peaks


def test_the_link_reads_and_writes_its_blob_and_nothing_else(storage, bundle):
    container = f"linked-{time.time_ns()}"
    storage.ensure_container(container)
    client = storage._client().get_container_client(container)  # noqa: SLF001
    client.upload_blob("outputs/x/files.tar", b"other")
    link = storage.read_write_sas(container, "outputs/x/checkpoints.tar").reveal()
    context = ssl.create_default_context(cafile=bundle)

    def asked(method, url, **headers):
        data = b"x" if method == "PUT" else None
        named = {name.replace("_", "-"): each for name, each in headers.items()}
        try:
            with urlopen(Request(url, method=method, data=data, headers=named), context=context, timeout=10) as answer:
                return answer.status
        except HTTPError as error:
            error.close()
            return error.code

    block = {"x_ms_blob_type": "BlockBlob"}
    assert [asked("PUT", link, **block), asked("GET", link), asked("DELETE", link)] == [201, 200, 403]
    other = link.replace("checkpoints.tar", "files.tar")
    assert [asked("PUT", other, **block), asked("GET", other), asked("DELETE", other)] == [403, 403, 403]
    assert asked("GET", link.replace("/outputs/x/checkpoints.tar", "") + "&restype=container&comp=list") == 403
    assert client.download_blob("outputs/x/files.tar").readall() == b"other"
