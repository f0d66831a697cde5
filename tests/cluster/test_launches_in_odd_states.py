"""Launches whose objects were copied, relabelled, held, half deleted or left in the middle, on the test stand."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
import time

import pytest
from kubernetes.client import V1Container, V1PodSpec

from fairing_az_jupyter import machine
from fairing_az_jupyter.exceptions import ExecutionError, NotFoundError
from fairing_az_jupyter.fairing.cluster import ownership
from fairing_az_jupyter.fairing.cluster.manifests import PREFIX, job, labels_of
from fairing_az_jupyter.fairing.inventory import endpoint_calls, launches
from fairing_az_jupyter.fairing.inventory.prediction_data import Samples
from fairing_az_jupyter.fairing.jobs import training_job
from fairing_az_jupyter.fairing.jobs.training_job import ClusterJob
from tests.cluster.job_scene import Place as Jobs
from tests.cluster.launches_scene import FOREVER, opened
from tests.cluster.serving_scene import ask

MERGE = "application/merge-patch+json"
GONE = f"{machine.this_place()} 99999999999 1.00"


@pytest.fixture
def bare(stand, namespace):
    with opened(stand, stand.correct_setup(namespace)) as place:
        yield place


@pytest.fixture
def place(node, stand, namespace):
    setup = stand.correct_setup(namespace)
    with opened(stand, setup, node.push_base(setup.login_server, setup.dockerconfig)) as found:
        yield found


@pytest.fixture
def jobs(node, stand, namespace):
    setup = stand.correct_setup(namespace)
    found = Jobs(stand, setup, node.push_base(setup.login_server, setup.dockerconfig))
    with found.launcher:
        yield found


def relabel(place, what, name, **labels):
    group = {"Deployment": "apis/apps/v1", "Job": "apis/batch/v1", "Service": "api/v1"}[what]
    path = f"/{group}/namespaces/{place.namespace}/{what.lower()}s/{name}"
    change = {PREFIX + key: value for key, value in labels.items()}
    answer = place.admin.call("PATCH", path, {"metadata": {"labels": change}}, kind=MERGE)
    assert answer.ok, answer.text


def exposed(place, name, of):
    """Make a Service as `kubectl expose deployment` does: with the Deployment's own labels."""
    labels = labels_of("endpoint", of, "tester")
    spec = {"selector": {f"{PREFIX}launch": of}, "ports": [{"port": 9000}]}
    place.admin.post(
        f"/api/v1/namespaces/{place.namespace}/services", {"metadata": {"name": name, "labels": labels}, "spec": spec}
    )


@pytest.fixture
def serving(endpoint_place):
    return endpoint_place


def test_a_service_that_was_exposed_beside_an_endpoint_is_the_users_own(bare):
    bare.endpoint("fairing-endpoint-1")
    exposed(bare, "aaa", "fairing-endpoint-1")
    exposed(bare, "zzz", "fairing-endpoint-1")

    info = bare.info("fairing-endpoint-1")
    assert info.url == f"http://fairing-endpoint-1.{bare.namespace}.svc.cluster.local/predict"
    launches.delete_launches(bare.launcher, ["fairing-endpoint-1"])

    assert bare.names("Service") == {"aaa", "zzz"}
    assert bare.found() == {}
    with pytest.raises(NotFoundError, match="was not created by a launch"):
        launches.delete_launches(bare.launcher, ["zzz"])


@pytest.mark.parametrize("kind", ["Deployment", "Service"])
def test_half_an_endpoint_whose_labels_were_taken_away_is_not_taken_for_the_rest_of_a_broken_one(bare, kind):
    bare.endpoint("fairing-endpoint-1")
    relabel(bare, kind, "fairing-endpoint-1", launch=None)

    assert bare.info("fairing-endpoint-1") is None
    assert bare.found() == {}


def test_a_deployment_that_is_labelled_as_a_job_is_left_alone(bare):
    bare.endpoint("fairing-endpoint-1")
    relabel(bare, "Deployment", "fairing-endpoint-1", kind="job")

    assert bare.info("fairing-endpoint-1") is None
    assert bare.found() == {}


def test_what_a_finalizer_holds_is_told_as_being_deleted_and_is_no_leftover(bare):
    bare.job("fairing-job-1")
    path = f"/apis/batch/v1/namespaces/{bare.namespace}/jobs/fairing-job-1"
    held = {"metadata": {"finalizers": ["example.com/held"]}}
    assert bare.admin.call("PATCH", path, held, kind=MERGE).ok
    try:
        with pytest.raises(ExecutionError) as caught:
            launches.delete_launches(bare.launcher, ["fairing-job-1"], seconds=2)

        assert "fairing-job-1" in caught.value.message
        assert caught.value.hint
        assert bare.info("fairing-job-1").state == "deleting"
        assert bare.found() == {}
    finally:
        bare.admin.call("PATCH", path, {"metadata": {"finalizers": None}}, kind=MERGE)


def ended_job(place, name, mark):
    target = place.launcher.target
    place.workloads.create(job(name, place.pod(""), target, annotations={ownership.PROCESS: mark}))
    place.end(**{name.removeprefix("fairing-").replace("-", "_"): "Succeeded"})


def test_a_job_whose_end_its_own_launch_is_reading_is_not_cleaned_up(bare):
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from fairing_az_jupyter.fairing.cluster.ownership import *; print(*mark().values()); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONUNBUFFERED": "1"},
    ) as child:
        ended_job(bare, "fairing-job-1", child.stdout.readline().strip())
        ended_job(bare, "fairing-job-2", "another-machine 7 1.00")

        found = bare.found()
        assert found[("Job", "fairing-job-1")].in_use
        assert "Its own launch will delete it" in found[("Job", "fairing-job-1")].why
        assert found[("Job", "fairing-job-2")].in_use
        child.kill()
        child.communicate()

    assert not bare.found()[("Job", "fairing-job-1")].in_use


def test_a_job_that_ended_a_minute_ago_is_left_over_whoever_has_launched_it(bare, monkeypatch):
    from datetime import timedelta

    from fairing_az_jupyter.fairing.inventory import garbage

    ended_job(bare, "fairing-job-1", "another-machine 7 1.00")
    monkeypatch.setattr(garbage, "_SEEN", timedelta(0))

    assert not bare.found()[("Job", "fairing-job-1")].in_use


def spec_of(place, code):
    return V1PodSpec(containers=[V1Container(name="model", image=place.image, command=["python", "-c", code])])


def left_behind(jobs, code, **status):
    """Launch a job as by a kernel that is gone, and return its name."""
    deployer, made = ClusterJob(jobs.launcher), []
    create = jobs.launcher.workloads.create

    def created(body):
        body["metadata"]["annotations"][ownership.PROCESS] = GONE
        made.append(create(body))
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs.launcher.workloads, "create", created)
        with pytest.raises(KeyboardInterrupt):
            deployer.deploy(spec_of(jobs, code))
    return made[0]["metadata"]["name"]


def test_a_job_that_goes_between_being_found_and_being_followed_is_launched_anew(jobs, monkeypatch, capfd, caplog):
    code = "print('done')"
    name, follow = left_behind(jobs, code), jobs.launcher.workloads.follow

    def gone_first(kind, wanted, **options):
        if wanted == name:
            jobs.launcher.workloads.delete(kind, wanted, wait=20)
        return follow(kind, wanted, **options)

    monkeypatch.setattr(jobs.launcher.workloads, "follow", gone_first)
    launched = ClusterJob(jobs.launcher).deploy(spec_of(jobs, code))

    assert launched != name
    assert capfd.readouterr().out == "done\n"
    assert any("no longer exists: it is launched again" in message for message in caplog.messages)
    assert jobs.nothing_left()


def test_of_two_launches_that_find_the_same_job_one_follows_it_and_one_gets_its_own(jobs, monkeypatch):
    code = "import time; time.sleep(2); print('done')"
    name, listed = left_behind(jobs, code), threading.Barrier(2)
    claim = ownership.claim

    def both_have_seen_it(*arguments):
        listed.wait(20)
        return claim(*arguments)

    monkeypatch.setattr(training_job.ownership, "claim", both_have_seen_it)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(ClusterJob(jobs.launcher).deploy(spec_of(jobs, code))))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)

    assert len(set(results)) == 2
    assert name in results
    assert jobs.nothing_left()


def test_an_endpoint_whose_service_is_gone_is_replaced_and_not_taken_over(serving, caplog):
    first, spec = serving.serving()
    first.deploy(spec)
    serving.deployers.remove(first)
    name = first.name
    del first
    gc.collect()
    serving.launcher.workloads.delete("Service", name)

    second, _ = serving.serving(secret=serving.secret)
    url = second.deploy(spec)

    assert second.name != name
    assert ask(url)["pod"].startswith(second.name)
    assert any("is replaced" in message for message in caplog.messages)
    second.delete()
    assert serving.left() == []


def test_an_endpoint_that_was_stopped_is_replaced_and_not_taken_over(serving):
    first, spec = serving.serving()
    first.deploy(spec)
    serving.deployers.remove(first)
    name = first.name
    del first
    gc.collect()
    path = f"/apis/apps/v1/namespaces/{serving.namespace}/deployments/{name}"
    serving.admin.call("PATCH", path, {"spec": {"replicas": 0}}, kind=MERGE)

    second, _ = serving.serving(secret=serving.secret)
    url = second.deploy(spec)

    assert second.name != name
    assert ask(url)["pod"].startswith(second.name)


ODD_LINES = """
import os, sys, time
os.write(1, b"\\xff\\xfe\\x00 binary\\n" + b"x" * 1_000_000 + b"\\n" + "\\u00e4\\u4e2d".encode() + b"\\nno end")
"""


def test_bytes_that_are_no_text_lines_of_a_megabyte_and_a_last_line_without_an_end_are_all_shown(place):
    place.job("fairing-job-1", ODD_LINES)
    place.until("fairing-job-1", "succeeded")
    launch = launches.find_launch(place.launcher, "fairing-job-1")

    shown = [line.text for line in launches.lines(place.launcher, launch)]
    followed = [line.text for line in launches.watched_lines(place.launcher, launch)]

    assert shown[0].endswith("binary")
    assert shown[-2:] == ["\u00e4\u4e2d", "no end"]
    assert sum(len(line) for line in shown[1:-2]) == 1_000_000
    assert followed[0].endswith("binary")
    assert "".join(followed[1:-2]) == "x" * 1_000_000
    assert followed[-2:] == ["\u00e4\u4e2d", "no end"]
    json.dumps(shown)


def test_the_last_0_lines_of_a_job_that_runs_are_none_and_what_comes_is_shown(place):
    place.job("fairing-job-1", "import time\nfor i in range(60): print(i); time.sleep(0.1)")
    place.until("fairing-job-1", "running")
    launch = launches.find_launch(place.launcher, "fairing-job-1")
    end = time.monotonic() + 20
    while len(list(launches.lines(place.launcher, launch))) < 3:
        assert time.monotonic() < end
        time.sleep(0.1)

    assert list(launches.lines(place.launcher, launch, tail=0)) == []
    followed = [line.text for line in launches.watched_lines(place.launcher, launch, tail=0)]

    assert "0" not in followed
    assert followed[-1] == "59"


def test_a_build_shows_the_lines_of_both_its_containers(place):
    pod = place.pod("print('building')")
    command = ["python", "-c", "print('fetching')"]
    first = {"name": "context", "image": place.image, "command": command}
    pod = {**pod, "initContainers": [first]}
    place.workloads.create(job("fairing-build-1", pod, place.launcher.target, kind="build"))
    place.until("fairing-build-1", "succeeded")
    launch = launches.find_launch(place.launcher, "fairing-build-1")

    shown = [(line.container, line.text, line.main) for line in launches.lines(place.launcher, launch)]
    followed = [(line.container, line.text, line.main) for line in launches.watched_lines(place.launcher, launch)]

    assert shown == [("context", "fetching", False), ("model", "building", True)]
    # Both have ended: their lines come as the cluster hands them out.
    assert sorted(followed) == shown


def test_an_endpoint_that_starts_again_goes_on_answering_by_its_name(place):
    place.endpoint("fairing-endpoint-1")
    place.until("fairing-endpoint-1", "ready")
    samples = Samples([[1.0, 2.0]])
    assert endpoint_calls.predict(place.launcher, "fairing-endpoint-1", samples).values == [3.0]
    (pod,) = (name for name in place.names("Pod"))
    place.workloads.delete("Pod", pod, wait=30)
    place.until("fairing-endpoint-1", "ready")

    assert endpoint_calls.predict(place.launcher, "fairing-endpoint-1", samples).values == [3.0]


def test_two_deletions_at_once_are_both_content(bare):
    bare.endpoint("fairing-endpoint-1")
    bare.job("fairing-job-1", FOREVER)
    problems, start = [], threading.Barrier(2)

    def delete():
        start.wait()
        try:
            launches.delete_launches(bare.launcher, ["fairing-endpoint-1", "fairing-job-1"])
        except Exception as error:  # noqa: BLE001 - judged below
            problems.append(error)

    threads = [threading.Thread(target=delete) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert [error for error in problems if not isinstance(error, NotFoundError)] == []
    assert bare.names("Job") == bare.names("Deployment") == bare.names("Service") == set()
