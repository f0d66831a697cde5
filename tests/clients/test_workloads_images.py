"""Why an image can't be pulled, and whether that may pass, from the words of kubelets and container runtimes."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.clients.kube.diagnosis.workloads import diagnose
from fairing_az_jupyter.clients.kube.watching.startup import stuck_on_node
from tests.clients.workloads_objects import event, job, pod, waiting

PASSING, ACCESS, DEFINITE = "image-passing", "image-access", "image-definite"


@pytest.mark.parametrize(
    ("said", "code", "rule"),
    [
        ("failed to authorize: failed to fetch anonymous token: 401 Unauthorized", "image-unauthorized", ACCESS),
        ("pull access denied, repository does not exist or may require authorization", "image-unauthorized", ACCESS),
        ("requested access to the resource is denied", "image-unauthorized", ACCESS),
        ("failed to fetch oauth token: unexpected status: 403 Forbidden", "image-unauthorized", ACCESS),
        ("unexpected status from HEAD request to https://r.io/v2/a/manifests/1: 401", "image-unauthorized", ACCESS),
        ('rpc error: code = NotFound desc = "team.azurecr.io/train:1": not found', "image-not-found", DEFINITE),
        ("manifest unknown: manifest tagged by 1 is not found", "image-not-found", DEFINITE),
        ("reading manifest 1 in team.azurecr.io/train: manifest unknown", "image-not-found", DEFINITE),
        ("name unknown: The repository with name 'train' is not known to the registry", "image-not-found", DEFINITE),
        ("no match for platform in manifest: not found", "image-platform", DEFINITE),
        ('no image found in image index for architecture "arm64"', "image-platform", DEFINITE),
        ("signature validation failed: Source image rejected", "image-signature", DEFINITE),
        ("dial tcp: lookup team.azurecr.io on 10.0.0.10:53: no such host", "image-host", PASSING),
        ("lookup team.azurecr.io on 10.0.0.10:53: server misbehaving", "image-host", PASSING),
        ("dial tcp 20.0.0.1:443: i/o timeout", "image-unreachable", PASSING),
        ("read tcp 10.0.0.4:1->20.0.0.1:443: connection reset by peer", "image-unreachable", PASSING),
        ("failed to copy: httpReadSeeker: failed open: unexpected EOF", "image-unreachable", PASSING),
        ("net/http: TLS handshake timeout", "image-unreachable", PASSING),
        ("toomanyrequests: You have reached your pull rate limit", "image-throttled", PASSING),
        ("unexpected status from HEAD request to https://r.io/v2/a: 429 Too Many Requests", "image-throttled", PASSING),
        ("unexpected status from GET request to https://r.io/a: 503 Service Unavailable", "image-unavailable", PASSING),
        ("failed to authorize: unexpected status: 500 Internal Server Error", "image-unavailable", PASSING),
        ("x509: certificate signed by unknown authority", "image-tls", PASSING),
        ('failed to do request: Head "https://r.io/v2/a": remote error: tls: access denied', "image-tls", PASSING),
        ('failed to do request: Head "https://r.io/v2/a/manifests/1": EOF', "image-unreachable", PASSING),
        ('failed to do request: Head "https://r.io/v2/a": Proxy Authentication Required', "image-proxy", PASSING),
        ('failed to do request: Head "https://r.io/v2/a": Forbidden', "image-proxy", PASSING),
        ("proxyconnect tcp: dial tcp 10.0.0.4:3128: connect: connection refused", "image-proxy", PASSING),
        ("failed to get reader from content store: content digest sha256:b: not found", "image-node", PASSING),
        ("unexpected media type text/html for sha256:a: not found", "image-node", PASSING),
        ("parent snapshot sha256:b does not exist: not found", "image-node", PASSING),
        ("failed to stat snapshot sha256:b: snapshot sha256:b does not exist: not found", "image-node", PASSING),
        ('lease "123": not found', "image-node", PASSING),
        (
            "httpReadSeeker: failed open: unexpected status code https://r.io/v2/a/blobs/sha256:a: 404 Not Found",
            "image-node",
            PASSING,
        ),
        (
            "httpReadSeeker: failed open: unexpected status code https://r.io/v2/a/blobs/sha256:a: 403 Forbidden",
            "image-unauthorized",
            ACCESS,
        ),
        ('failed to get credentials: exec plugin: "acr-credential-provider" not found', "image-node", PASSING),
        (
            (
                "failed to authorize: failed to fetch oauth token: unexpected status from POST request to "
                "https://r.io/oauth2/token: 404 Not Found"
            ),
            "image-node",
            PASSING,
        ),
        ("write /var/lib/containerd: no space left on device", "image-disk", PASSING),
        ("something new", "image-pull", PASSING),
        ("", "image-pull", PASSING),
    ],
)
@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_images_that_cant_be_pulled_are_told_apart_and_so_is_what_may_pass(said, code, rule, reason):
    found = diagnose(job(), [pod("Pending", waiting(reason, f"Back-off pulling image: {said}"))])
    assert (found.code, found.condition, found.heals) == (code, rule, rule != DEFINITE)
    assert found.image == "team.azurecr.io/train:1"
    assert "team.azurecr.io/train:1" in found.message


def test_the_words_of_an_images_name_are_no_reason():
    status = waiting("ErrImagePull", "x/404-unauthorized:1: i/o timeout", image="x/404-unauthorized:1")
    assert diagnose(job(), [pod("Pending", status)]).code == "image-unreachable"


@pytest.mark.parametrize("image", ["acme/snapshot:1", "certificate:1", "unreachable-proxyconnect"])
def test_the_words_of_an_images_full_name_are_no_reason(image):
    named = f"docker.io/{image}" if "/" in image else f"docker.io/library/{image}"
    said = f'failed to resolve reference "{named}": {named}: not found'
    assert diagnose(job(), [pod("Pending", waiting("ErrImagePull", said, image=image))]).code == "image-not-found"


def pull_event(reason, message, second, container="main"):
    about = {"kind": "Pod", "name": "p", "fieldPath": f"spec.containers{{{container}}}"}
    return {
        "reason": reason,
        "message": message,
        "involvedObject": about,
        "lastTimestamp": f"2026-11-29T10:00:{second:02}Z",
    }


@pytest.mark.parametrize(
    ("later", "code"),
    [
        ([("Pulling", 11)], None),
        ([("BackOff", 9), ("Pulling", 11)], None),
        ([("Pulling", 11), ("Failed", 11)], "image-unauthorized"),
        ([("Pulling", 11), ("Failed", 41)], "image-unauthorized"),
        ([("Pulling", 11), ("Failed", 41), ("Pulling", 61)], None),
        ([], "image-unauthorized"),
    ],
)
def test_a_pull_that_is_under_way_is_no_failing_pull_though_the_kubelet_still_shows_the_last_failure(later, code):
    events = [pull_event("Failed", 'Failed to pull image "x": 401 Unauthorized', 1)]
    events += [pull_event(reason, "Failed to pull image" if reason == "Failed" else "", at) for reason, at in later]
    one = pod("Pending", waiting("ImagePullBackOff", "Back-off: 401 Unauthorized"), spec={"nodeName": "n"})
    found = diagnose(job(), [one], events)
    assert (found and found.code) == code
    if code is None:
        assert (stuck_on_node(one, "team-a").code, stuck_on_node(one, "team-a").condition) == ("pulling", "starting")


def test_another_containers_pull_does_not_count():
    events = [pull_event("Failed", 'Failed to pull image "x": 401 Unauthorized', 1)]
    events += [
        pull_event("Failed", 'Failed to pull image "y": y: not found', 2, "other"),
        pull_event("Pulling", "", 11, "other"),
    ]
    one = pod("Pending", waiting("ImagePullBackOff", 'Back-off pulling image "x"'))
    assert diagnose(job(), [one], events).condition == ACCESS


@pytest.mark.parametrize(
    ("reason", "code"),
    [("InvalidImageName", "image-name"), ("ErrImageNeverPull", "image-absent")],
)
def test_images_that_can_never_be_pulled_are_known_by_the_reason_alone(reason, code):
    found = diagnose(job(), [pod("Pending", waiting(reason))])
    assert (found.code, found.heals) == (code, False)


def test_a_pull_that_is_not_allowed_tells_that_a_new_role_takes_time():
    found = diagnose(job(), [pod("Pending", waiting("ErrImagePull", "401 Unauthorized"))])
    assert "a new role assignment can take up to 10 minutes" in found.message
    assert "--attach-acr team" in found.hint


@pytest.mark.parametrize("before", ["", "(combined from similar events): "])
def test_an_older_kubelet_tells_the_reason_of_a_back_off_in_an_event(before):
    said = event("Failed", f'{before}Failed to pull image "x": 401 Unauthorized')
    found = diagnose(job(), [pod("Pending", waiting("ImagePullBackOff", 'Back-off pulling image "x"'))], [said])
    assert found.code == "image-unauthorized"
