"""What was launched is seen, asked, deleted and cleaned up on the test stand, by real containers where they matter."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from datetime import timedelta

import pytest

from fairing_az_jupyter.clients.kube.writes.secret_metadata import secret_metadata
from fairing_az_jupyter.exceptions import (
    EndpointError,
    InputError,
    JobFailedError,
    NotAllowedError,
    NotFoundError,
    UnreachableError,
)
from fairing_az_jupyter.fairing.cluster.manifests import deployment, inference_service, job, labels_of, service
from fairing_az_jupyter.fairing.inventory import endpoint_calls, garbage, launches
from fairing_az_jupyter.fairing.inventory.prediction_data import Samples
from tests.cluster.launches_scene import FOREVER, SERVER, opened


@pytest.fixture
def bare(stand, namespace):
    """A namespace whose pods wait forever: there is no node."""
    with opened(stand, stand.correct_setup(namespace)) as place:
        yield place


@pytest.fixture
def place(node, stand, namespace):
    setup = stand.correct_setup(namespace)
    with opened(stand, setup, node.push_base(setup.login_server, setup.dockerconfig)) as found:
        yield found


@pytest.fixture
def settled(monkeypatch):
    """Let everything be old enough to be a leftover."""
    monkeypatch.setattr(garbage, "_SETTLED", timedelta(0))


def test_a_job_an_endpoint_and_a_build_are_listed_with_what_they_wait_for(bare):
    bare.job("fairing-job-1")
    bare.job("fairing-build-1", kind="build")
    bare.endpoint("fairing-endpoint-1")
    bare.fairings("Job", {"app": "theirs"}, "theirs")
    time.sleep(1)

    found = {launch.info.name: launch.info for launch in launches.find_launches(bare.launcher)}

    assert {name: (info.kind, info.state, info.owner) for name, info in found.items()} == {
        "fairing-job-1": ("job", "pending", "tester"),
        "fairing-build-1": ("build", "pending", "tester"),
        "fairing-endpoint-1": ("endpoint", "pending", "tester"),
    }
    endpoint = found["fairing-endpoint-1"]
    assert endpoint.url == f"http://fairing-endpoint-1.{bare.namespace}.svc.cluster.local/predict"
    assert (endpoint.image, endpoint.public, endpoint.namespace) == (bare.image, False, bare.namespace)
    assert endpoint.created.endswith("Z")
    assert all("pod" in info.detail.lower() for info in found.values())
    assert json.loads(json.dumps(endpoint.to_dict()))["origin"] == "fairing-az-jupyter"


def test_what_fairing_itself_has_launched_is_listed_too(bare):
    serving = {"fairing-deployer": "serving", "fairing-id": "8f1"}
    bare.fairings("Job", {"fairing-deployer": "job", "fairing-id": "8f0"}, "fairing-job-abc")
    bare.fairings("Job", {"fairing-builder": "kaniko", "fairing-build-id": "8f2"}, "fairing-builder-abc")
    bare.fairings("Deployment", serving, "fairing-deployer-abc")
    bare.fairings("Service", serving, "fairing-service-xyz")

    found = {launch.info.name: launch for launch in launches.find_launches(bare.launcher)}

    assert {name: launch.info.kind for name, launch in found.items()} == {
        "fairing-job-abc": "job",
        "fairing-builder-abc": "build",
        "fairing-deployer-abc": "endpoint",
    }
    endpoint = found["fairing-deployer-abc"]
    assert {launch.info.origin for launch in found.values()} == {"kubeflow-fairing"}
    assert endpoint.info.url == f"http://fairing-service-xyz.{bare.namespace}.svc.cluster.local:5000/predict"
    assert endpoint.port == 5000
    assert launches.find_launch(bare.launcher, "fairing-service-xyz").info.name == "fairing-deployer-abc"


def test_a_public_endpoint_is_said_to_be_public_and_has_its_address(bare):
    bare.workloads.create(deployment("fairing-endpoint-1", bare.pod("", ends=False), bare.launcher.target))
    bare.workloads.create(service("fairing-endpoint-1", bare.launcher.target, public=True))
    path = f"/api/v1/namespaces/{bare.namespace}/services/fairing-endpoint-1/status"
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "20.50.1.2"}]}}}
    bare.admin.call("PATCH", path, status, kind="application/merge-patch+json")

    info = bare.info("fairing-endpoint-1")

    assert (info.public, info.url) == (True, "http://20.50.1.2/predict")


def test_a_failed_job_tells_its_exit_code_and_a_running_one_that_it_runs(place):
    place.job("fairing-job-bad", "print('before'); raise SystemExit(3)")
    place.job("fairing-job-on", FOREVER)

    failed = place.until("fairing-job-bad", "failed")
    running = place.until("fairing-job-on", "running")

    assert "exit code 3" in failed.detail
    assert running.detail == ""
    launch = launches.find_launch(place.launcher, "fairing-job-bad")
    assert "exit code 3" in launches.described(place.launcher, launch).detail
    assert [line.text for line in launches.lines(place.launcher, launch)] == ["before"]
    launches.delete_launches(place.launcher, ["fairing-job-bad", "fairing-job-on"])
    assert place.names("Job") == place.names("Pod") == set()


def test_an_image_that_is_not_there_is_told_in_the_list_and_by_name(place):
    place.image = f"{place.setup.login_server}/team/nothing:1"
    place.endpoint("fairing-endpoint-1")

    info = place.until("fairing-endpoint-1", "failed")

    assert "team/nothing:1" in info.detail
    launch = launches.find_launch(place.launcher, "fairing-endpoint-1")
    assert "team/nothing:1" in launches.described(place.launcher, launch).detail


def test_the_lines_of_a_running_job_are_followed_to_its_end_and_its_tail_is_shown_first(place):
    code = "import time\nfor i in range(40): print('line', i); time.sleep(0.1 if i > 19 else 0)"
    place.job("fairing-job-1", code)
    place.until("fairing-job-1", "running")
    launch = launches.find_launch(place.launcher, "fairing-job-1")
    end = time.monotonic() + 20
    while len(list(launches.lines(place.launcher, launch))) < 20:
        assert time.monotonic() < end
        time.sleep(0.1)

    assert [line.text for line in launches.lines(place.launcher, launch, tail=0)] == []
    followed = list(launches.watched_lines(place.launcher, launch, tail=3))

    texts = [line.text for line in followed]
    first = int(texts[0].split()[1])
    assert 17 <= first <= 30
    assert texts == [f"line {i}" for i in range(first, 40)]
    assert {line.main for line in followed} == {True}
    assert [line.text for line in launches.lines(place.launcher, launch, tail=2)] == ["line 38", "line 39"]
    place.until("fairing-job-1", "succeeded")


def test_following_a_job_that_fails_raises_with_its_last_lines(place):
    place.job("fairing-job-1", "print('before'); raise SystemExit(3)")
    launch = launches.find_launch(place.launcher, "fairing-job-1")

    with pytest.raises(JobFailedError, match="exit code 3"):
        list(launches.watched_lines(place.launcher, launch))


def test_an_endpoint_is_asked_by_its_name_from_outside_and_inside_and_deleted_with_its_pods(place, node):
    place.endpoint("fairing-endpoint-1")
    info = place.until("fairing-endpoint-1", "ready")
    samples = Samples([[1.0, 2.0], [3.0, 4.5]], ["a", "b"])

    outside = endpoint_calls.predict(place.launcher, "fairing-endpoint-1", samples)
    with opened(place.stand, place.setup, place.image, in_cluster=True) as inside:
        within = endpoint_calls.predict(inside.launcher, "fairing-endpoint-1", samples)

    assert outside.values == within.values == [3.0, 7.5]
    assert outside.url.startswith("http://127.0.0.1:")
    assert within.url == info.url
    assert 0 < outside.latency < 10
    assert outside.status == 200
    with pytest.raises(EndpointError, match=r"answered 400: too many columns.*Send three\."):
        endpoint_calls.predict(place.launcher, "fairing-endpoint-1", Samples([[1.0] * 4]))
    launch = launches.find_launch(place.launcher, "fairing-endpoint-1")
    assert next(launches.lines(place.launcher, launch)).text == "serving"

    deleted = launches.delete_launches(place.launcher, ["fairing-endpoint-1"])

    assert [each.name for each in deleted] == ["fairing-endpoint-1"]
    assert place.names("Deployment") | place.names("Service") | place.names("Pod") == set()


def test_an_endpoint_of_fairing_itself_is_asked_on_its_own_port_in_its_own_form(place):
    labels = {"fairing-deployer": "serving", "fairing-id": "8f1"}
    code = SERVER.replace("8080", "5000").replace('if "json" not in self.headers["Content-Type"]:', "if True:")
    place.fairings("Deployment", labels, "fairing-deployer-abc", code=code)
    place.fairings("Service", labels, "fairing-service-xyz")
    place.until("fairing-deployer-abc", "ready")

    end = time.monotonic() + 20
    while True:
        try:
            found = endpoint_calls.predict(place.launcher, "fairing-service-xyz", Samples([[1.0, 2.0]]))
            break
        except (EndpointError, UnreachableError):
            # Without a probe it is 'ready' before it listens.
            assert time.monotonic() < end
            time.sleep(0.3)

    assert found.values == [3.0]


def test_the_output_of_an_endpoint_is_followed_until_the_caller_stops(place):
    place.endpoint("fairing-endpoint-1", "import time\nfor i in range(600): print('tick', i); time.sleep(0.1)")
    place.until("fairing-endpoint-1", "pending", "ready")
    launch = launches.find_launch(place.launcher, "fairing-endpoint-1")

    with contextlib.closing(launches.watched_lines(place.launcher, launch)) as lines:
        texts = [next(lines).text for _ in range(5)]

    assert texts == [f"tick {i}" for i in range(5)]
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("watch-")] == []


def test_an_endpoint_that_is_not_ready_says_so_and_a_job_is_none(bare):
    bare.endpoint("fairing-endpoint-1")
    bare.job("fairing-job-1")

    with pytest.raises(EndpointError, match="is not ready") as caught:
        endpoint_calls.predict(bare.launcher, "fairing-endpoint-1", Samples([[1.0]]))
    assert "fairing-azure status fairing-endpoint-1" in caught.value.hint
    with pytest.raises(InputError, match="is a job, not an endpoint"):
        endpoint_calls.predict(bare.launcher, "fairing-job-1", Samples([[1.0]]))


def test_a_name_that_is_none_suggests_the_nearest_and_nothing_is_deleted(bare):
    bare.job("fairing-job-1a2b")

    with pytest.raises(NotFoundError, match="Did you mean 'fairing-job-1a2b'") as caught:
        launches.delete_launches(bare.launcher, ["fairing-job-1a2b", "fairing-job-1a2c"])

    assert "fairing-azure status" in caught.value.hint
    assert bare.names("Job") == {"fairing-job-1a2b"}
    with pytest.raises(NotFoundError, match=r"No launch named 'No Such/\.\./Name'"):
        launches.delete_launches(bare.launcher, ["No Such/../Name"])


@pytest.mark.parametrize("kind", ["Job", "Deployment", "Service"])
def test_what_no_launch_has_made_is_never_deleted(bare, kind):
    bare.fairings(kind, {"app": "theirs", "app.kubernetes.io/managed-by": "fairing-az-jupyter"}, "theirs")

    with pytest.raises(NotFoundError, match="was not created by a launch, so it is not deleted"):
        launches.delete_launches(bare.launcher, ["theirs"])

    assert bare.names(kind) == {"theirs"}


def test_what_kserve_makes_for_an_endpoint_is_no_endpoint_of_its_own(bare):
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "kube-root-ca.crt", "controller": True}
    path = f"/api/v1/namespaces/{bare.namespace}/configmaps"
    made = bare.admin.post(path, {"metadata": {"name": "owner"}})
    body = deployment("model-predictor", bare.pod("", ends=False), bare.launcher.target)
    body["metadata"]["ownerReferences"] = [{**owner, "name": "owner", "uid": made["metadata"]["uid"]}]
    bare.workloads.create(body)

    assert launches.find_launches(bare.launcher) == ()
    assert bare.found() == {}
    with pytest.raises(NotFoundError, match="so it is not deleted"):
        launches.delete_launches(bare.launcher, ["model-predictor"])


def test_a_build_is_deleted_with_its_secret(bare):
    bare.job("fairing-build-1", kind="build")
    bare.secret("fairing-build-1", labels_of("build", "fairing-build-1", "tester"))

    launches.delete_launches(bare.launcher, ["fairing-build-1"])

    names = {each["metadata"]["name"] for each in secret_metadata(bare.launcher.cluster.connection, bare.namespace)}
    assert "fairing-build-1" not in names
    assert "acrcreds" in names
    assert bare.names("Job") == set()


def test_a_second_deletion_says_that_there_is_nothing_of_that_name(bare):
    bare.job("fairing-job-1")
    launches.delete_launches(bare.launcher, ["fairing-job-1"])

    with pytest.raises(NotFoundError, match="No launch named 'fairing-job-1' found"):
        launches.delete_launches(bare.launcher, ["fairing-job-1"])


def test_what_was_made_anew_by_the_same_name_is_not_deleted(bare):
    bare.job("fairing-job-1")
    [launch] = launches.find_launches(bare.launcher)
    bare.workloads.delete("Job", "fairing-job-1", wait=20)
    bare.job("fairing-job-1")

    left = bare.workloads.get("Job", "fairing-job-1")
    assert left["metadata"]["uid"] != launch.parts[0].uid
    [outcome] = garbage.remove_orphans(
        bare.launcher, [garbage.OrphanedResource("Job", "fairing-job-1", bare.namespace, "", uid=launch.parts[0].uid)]
    )
    assert outcome.outcome == "gone"
    assert bare.names("Job") == {"fairing-job-1"}


def test_secrets_are_listed_without_what_is_in_them(bare):
    bare.secret("storage-credentials-1a2b3c4d")

    listed = secret_metadata(bare.launcher.cluster.connection, bare.namespace)

    assert {"azcreds", "acrcreds", "storage-credentials-1a2b3c4d"} <= {each["metadata"]["name"] for each in listed}
    assert "hidden-value" not in repr(listed)
    assert {key for each in listed for key in each} == {"metadata"}
    assert [mark for mark in bare.setup.marks if mark in repr(listed)] == []


def test_leftovers_are_found_and_what_is_in_use_is_told_apart(bare, settled):
    place = bare
    for name in ("fairing-job-done", "fairing-job-failed", "fairing-job-on"):
        place.job(name)
    place.job("fairing-build-done", kind="build")
    place.end(job_done="Succeeded", job_failed="Failed", build_done="Succeeded")
    place.secret("fairing-build-gone", labels_of("build", "fairing-build-gone", "tester"))
    place.secret("fairing-build-done", labels_of("build", "fairing-build-done", "tester"))
    place.endpoint("fairing-endpoint-whole")
    place.workloads.create(service("fairing-endpoint-service", place.launcher.target))
    place.workloads.create(deployment("fairing-endpoint-half", place.pod("", ends=False), place.launcher.target))
    serving = {"fairing-deployer": "serving", "fairing-id": "8f1"}
    place.fairings("Deployment", serving, "fairing-deployer-abc")
    place.fairings("Service", serving, "fairing-service-xyz")
    place.fairings("Deployment", {"fairing-deployer": "serving", "fairing-id": "8f9"}, "fairing-deployer-half")
    place.secret("storage-credentials-1a2b3c4d")
    place.secret("storage-credentials-of-somebody")

    found = place.found()

    ours = {key for key, left in found.items() if left.own and not left.in_use}
    assert ours == {
        ("Job", "fairing-job-done"),
        ("Job", "fairing-job-failed"),
        ("Job", "fairing-build-done"),
        ("Secret", "fairing-build-gone"),
        ("Service", "fairing-endpoint-service"),
        ("Deployment", "fairing-endpoint-half"),
    }
    assert {key for key, left in found.items() if left.in_use} == {
        ("Job", "fairing-job-on"),
        ("Deployment", "fairing-deployer-abc"),
        ("Service", "fairing-service-xyz"),
    }
    assert {key for key, left in found.items() if not left.own and not left.in_use} == {
        ("Deployment", "fairing-deployer-half"),
        ("Secret", "storage-credentials-1a2b3c4d"),
    }
    assert "may be in use" in found["Deployment", "fairing-deployer-abc"].why

    chosen = garbage.chosen(found.values(), in_use=False, everyone=False)
    assert {(left.kind, left.name) for left in chosen} == ours
    assert {left.outcome for left in garbage.remove_orphans(place.launcher, chosen)} == {"deleted"}

    assert place.names("Job") == {"fairing-job-on"}
    assert place.names("Deployment") == {"fairing-endpoint-whole", "fairing-deployer-abc", "fairing-deployer-half"}
    everything = garbage.chosen(place.found().values(), in_use=True, everyone=True)
    assert {left.outcome for left in garbage.remove_orphans(place.launcher, everything)} == {"deleted"}
    assert place.names("Job") == set()
    assert place.names("Deployment") == place.names("Service") == {"fairing-endpoint-whole"}
    assert place.found() == {}
    kept = {each["metadata"]["name"] for each in secret_metadata(place.launcher.cluster.connection, place.namespace)}
    assert {"azcreds", "acrcreds", "storage-credentials-of-somebody"} <= kept


def test_what_has_just_been_made_may_belong_to_a_launch_that_goes_on(bare):
    bare.workloads.create(deployment("fairing-endpoint-new", bare.pod("", ends=False), bare.launcher.target))
    bare.secret("fairing-build-new", labels_of("build", "fairing-build-new", "tester"))

    found = bare.found()

    assert {key: left.in_use for key, left in found.items()} == {
        ("Deployment", "fairing-endpoint-new"): True,
        ("Secret", "fairing-build-new"): True,
    }


def test_what_others_have_left_is_theirs(bare, settled):
    with opened(bare.stand, bare.setup, owner="somebody.else") as theirs:
        theirs.job("fairing-job-theirs")
        theirs.end(job_theirs="Succeeded")
        assert theirs.found()["Job", "fairing-job-theirs"].own

    left = bare.found()["Job", "fairing-job-theirs"]

    assert (left.own, left.owner) == (False, "somebody.else")
    assert garbage.chosen([left], in_use=True, everyone=False) == ()
    assert garbage.chosen([left], in_use=False, everyone=True) == (left,)


def test_without_leave_to_list_secrets_the_rest_is_found_and_it_is_said(stand, namespace):
    setup = stand.correct_setup(namespace)
    with opened(stand, setup) as place:
        place.job("fairing-job-done")
        place.end(job_done="Succeeded")
        stand.kubernetes_front.refuse(
            403, path=rf"/api/v1/namespaces/{namespace}/secrets", method="GET", message="secrets is forbidden"
        )

        found, note = garbage.find_orphans(place.launcher)

    assert [left.name for left in found] == ["fairing-job-done"]
    assert note.startswith("Secrets could not be listed: ")


def test_an_inference_service_is_an_endpoint_as_every_other(kserve, place):
    name = "fairing-endpoint-1"
    pod = place.pod(SERVER, ends=False)
    place.workloads.create(inference_service(name, pod, place.launcher.target))

    info = place.until(name, "ready")
    found = endpoint_calls.predict(place.launcher, name, Samples([[1.0, 2.0]]))
    with opened(place.stand, place.setup, place.image, in_cluster=True) as inside:
        within = endpoint_calls.predict(inside.launcher, name, Samples([[1.0, 2.0]]))

    assert info.url == within.url == f"http://{name}-predictor.{place.namespace}.svc.cluster.local/predict"
    assert found.values == within.values == [3.0]
    assert [each.info.name for each in launches.find_launches(place.launcher)] == [name]
    launch = launches.find_launch(place.launcher, name)
    assert launches.described(place.launcher, launch).state == "ready"
    first = next(launches.lines(place.launcher, launch))
    assert (first.text, first.main) == ("serving", True)
    assert place.found() == {}

    launches.delete_launches(place.launcher, [name])

    assert place.names("InferenceService") | place.names("Deployment") | place.names("Pod") == set()


def test_what_can_not_be_deleted_does_not_keep_the_others(bare):
    bare.job("fairing-job-1")
    bare.job("fairing-job-2")
    front = bare.stand.kubernetes_front
    front.refuse(403, path=r".*/jobs/fairing-job-1$", method="DELETE", message="jobs is forbidden")

    with pytest.raises(NotAllowedError, match=r"fairing-job-1.* Deleted: fairing-job-2\."):
        launches.delete_launches(bare.launcher, ["fairing-job-1", "fairing-job-2"])

    assert bare.names("Job") == {"fairing-job-1"}


def test_who_may_only_look_sees_the_launches_and_deletes_none(stand, namespace):
    with opened(stand, stand.correct_setup(namespace, role="kubeflow-view")) as place:
        body = job("fairing-job-1", place.pod(""), place.launcher.target)
        place.admin.post(f"/apis/batch/v1/namespaces/{namespace}/jobs", body)

        assert [launch.info.name for launch in launches.find_launches(place.launcher)] == ["fairing-job-1"]
        with pytest.raises(NotAllowedError):
            launches.delete_launches(place.launcher, ["fairing-job-1"])
        assert place.names("Job") == {"fairing-job-1"}


def test_two_users_who_clean_up_at_once_are_both_told_that_it_is_gone(bare, settled):
    for number in range(3):
        bare.job(f"fairing-job-{number}")
    bare.end(job_0="Succeeded", job_1="Succeeded", job_2="Failed")
    found = garbage.chosen(bare.found().values(), in_use=False, everyone=False)
    outcomes = [[], []]

    def remove(into):
        into.extend(left.outcome for left in garbage.remove_orphans(bare.launcher, found))

    threads = [threading.Thread(target=remove, args=(each,)) for each in outcomes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert [len(each) for each in outcomes] == [3, 3]
    assert set(outcomes[0] + outcomes[1]) <= {"deleted", "gone"}
    assert bare.names("Job") == set()
