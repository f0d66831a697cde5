"""Images pushed to the stand's registry, which signs in as Azure's does, and judged by skopeo."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess

import pytest
from azure.identity import ClientSecretCredential

from fairing_az_jupyter.clients.oci.images import ConfigChanges, ImageReference, ImageStore, Layer
from fairing_az_jupyter.clients.oci.registry import Registry
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import CredentialError, FairingAzureError, NotAllowedError, UnreachableError
from tests.clients.image_parts import DOCKER, OCI, files_in, opened, put_image, put_index, sha, tar_of
from tests.stand.docker_registry import DockerRegistry

LAYER = Layer.from_bytes(tar_of({"app/train.py": "print('trained')", "app/data.csv": "a,b\n1,2\n"}))
CHANGES = ConfigChanges(env={"LANG": "de"}, working_dir="/app", entrypoint=("python", "train.py"), labels={"by": "us"})
WRITES = "POST|PUT|PATCH|DELETE"


@pytest.fixture
def setup(stand, namespace):
    made = stand.correct_setup(namespace, prepared=False)
    stand.registry_front.forbidden = set(made.marks)
    yield made
    assert not any(call.leak for call in stand.registry_front.calls)


@pytest.fixture
def registry(setup):
    with Registry(setup.login_server, username=setup.client, password=SecretValue(setup.secret)) as made:
        yield made


@pytest.fixture
def store(registry):
    return ImageStore(registry)


@pytest.fixture
def place(namespace):
    """A folder of repositories that no other test has: all registries of the stand share one storage."""
    return f"{namespace}/models"


@pytest.fixture
def base_pushed(stand, setup):
    """Return a function that pushes an image by plain requests, and then forgets the calls."""

    def make(repository, types=OCI, platforms=(), **more):
        url, auth = f"https://{setup.login_server}", (setup.client, setup.secret)
        if platforms:
            put_index(url, repository, "base", platforms, types=types, auth=auth)
        else:
            put_image(url, repository, "base", types=types, auth=auth, **more)
        stand.registry_front.clear()
        stand.registry_front.forbidden = set(setup.marks)

    return make


@pytest.fixture
def skopeo(stand, setup, tmp_path):
    """Return a function that runs skopeo on an image: a Go program, which asks by number."""
    if not shutil.which("skopeo"):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("skopeo is not here: apt-get install skopeo")
    port = stand.registry_front.port
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    (certificates / "ca.crt").write_bytes(stand.authority.bundle.read_bytes())
    stand.registry.also_at(f"127.0.0.1:{port}", setup.login_server)

    def run(verb, name, *arguments):
        source = "--src-" if verb == "copy" else "--"
        options = [f"{source}cert-dir", str(certificates), f"{source}creds", f"{setup.client}:{setup.secret}"]
        image = f"docker://127.0.0.1:{port}/{name}"
        command = ["skopeo", "--override-arch", "amd64", "--override-os", "linux", verb, *options, image, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if verb == "inspect" else done.stdout

    return run


def resolved(store, repository, platform="linux/amd64", tag="base"):
    return store.resolve(ImageReference(store.host, repository, tag), platform)


def push(store, base, repository, layer=LAYER, base_store=None, **more):
    more = {"tag": "1", "created_by": "fairing-azure", "changes": CHANGES, **more}
    return store.append(base, base_store or store, layer, repository=repository, **more)


def judged(skopeo, tmp_path, name, pushed, files):
    """Have skopeo inspect and copy an image, and look at what came out."""
    told = skopeo("inspect", name)
    assert told["Digest"] == pushed.digest
    assert told["Labels"] == {"a": "1", "by": "us"}
    assert {"PATH=/usr/bin", "LANG=de"} == set(told["Env"])
    config = skopeo("inspect", name, "--config")
    told_layers = [entry for entry in config["history"] if not entry.get("empty_layer")] if "history" in config else []
    assert len(told_layers) in {0, len(told["Layers"])}
    skopeo("copy", name, f"dir:{tmp_path}/dir")
    skopeo("copy", name, f"oci:{tmp_path}/oci:x")
    folder = tmp_path / "dir"
    manifest = json.loads((folder / "manifest.json").read_text())
    found = {}
    for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        content = (folder / layer["digest"].removeprefix("sha256:")).read_bytes()
        assert (sha(content), len(content)) == (layer["digest"], layer["size"])
        found |= files_in(content)
        assert sha(gzip.decompress(content)) == diff_id
    assert found == {name: content.encode() for name, content in files.items()}
    index = json.loads((tmp_path / "oci" / "index.json").read_text())
    assert len(index["manifests"]) == 1


NEW = {"app/train.py": "print('trained')", "app/data.csv": "a,b\n1,2\n"}


@pytest.mark.parametrize("types", [OCI, DOCKER])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_skopeo_inspects_and_copies_what_was_pushed(base_pushed, store, skopeo, place, tmp_path, types, elsewhere):
    base_repository = f"{place}/base" if elsewhere else place
    base_pushed(base_repository, types)
    pushed = push(store, resolved(store, base_repository), place)
    assert pushed.mounted == (2 if elsewhere else 0)
    judged(skopeo, tmp_path, f"{place}:1", pushed, {"etc/base": "base", "etc/second": "second", **NEW})


@pytest.mark.parametrize("types", [OCI, DOCKER])
def test_skopeo_takes_an_image_made_of_one_of_an_index(base_pushed, store, skopeo, place, tmp_path, types):
    base_pushed(place, types, ["linux/arm64/v8", "linux/amd64", "windows/amd64"])
    pushed = push(store, resolved(store, place), place)
    judged(skopeo, tmp_path, f"{place}:1", pushed, {"etc/platform": "linux/amd64", **NEW})


@pytest.mark.parametrize("types", [OCI, DOCKER])
def test_skopeo_takes_an_image_whose_base_is_in_another_registry(stand, store, skopeo, place, tmp_path, types):
    with DockerRegistry(tmp_path / "other", stand.guard) as made, opened(made.host) as other:
        put_image(f"http://{made.host}", "base", "base", types=types)
        pushed = push(store, resolved(other, "base"), place, base_store=other)
    assert pushed.sent_bytes == pushed.size
    judged(skopeo, tmp_path, f"{place}:1", pushed, {"etc/base": "base", "etc/second": "second", **NEW})


def test_a_history_is_told_by_skopeo_with_what_was_done(base_pushed, store, skopeo, place):
    tars = [tar_of({"etc/base": "base"})]
    config = {
        "os": "linux",
        "architecture": "amd64",
        "rootfs": {"type": "layers", "diff_ids": [sha(tars[0])]},
        "history": [{"created_by": "ADD base"}, {"created_by": "ENV A=1", "empty_layer": True}],
    }
    base_pushed(place, tars=tars, config=config)
    push(store, resolved(store, place), place)
    history = skopeo("inspect", f"{place}:1", "--config")["history"]
    assert [entry["created_by"] for entry in history] == ["ADD base", "ENV A=1", "fairing-azure"]


def test_a_second_push_asks_once_and_writes_nothing(stand, base_pushed, store, place):
    base_pushed(f"{place}/base")
    base = resolved(store, f"{place}/base")
    first = push(store, base, place)
    stand.registry_front.clear()
    second = push(store, base, place)
    assert (second.digest, second.sent_bytes, second.requests) == (first.digest, 0, 1)
    assert stand.registry_front.count("/v2/", WRITES) == 0


def test_one_changed_layer_sends_that_layer_and_nothing_of_the_base(stand, base_pushed, store, place):
    base_pushed(f"{place}/base")
    base = resolved(store, f"{place}/base")
    push(store, base, place)
    stand.registry_front.clear()
    layer = Layer.from_bytes(tar_of({"app/train.py": "print('changed')"}))
    pushed = push(store, base, place, layer)
    assert pushed.sent_bytes < layer.size + 2000
    assert pushed.mounted == 0
    assert stand.registry_front.count("/blobs/uploads/", "POST") == 2  # the layer and the configuration


def test_an_entra_token_pushes_as_a_password_does(setup, base_pushed, place):
    base_pushed(place)
    with ClientSecretCredential(setup.tenant, setup.client, setup.secret) as who:
        token = SecretValue(who.get_token("https://containerregistry.azure.net/.default").token)
    with Registry(setup.login_server, username=None, password=None, aad_token=token) as registry:
        store = ImageStore(registry)
        pushed = push(store, resolved(store, place), place)
        assert store.has(place, "1") == pushed.digest


@pytest.fixture
def large(tmp_path):
    (tmp_path / "large.tar").write_bytes(tar_of({"large": os.urandom(40_000_000)}))
    with Layer.from_file(tmp_path / "large.tar") as layer:
        yield layer


@pytest.mark.parametrize(
    "fault",
    [
        lambda front: front.drop(method="PATCH", times=1, skip=1),
        lambda front: front.drop(method="PUT", path="/blobs/", times=1),
        lambda front: front.drop(method="PUT", path="/manifests/", times=1),
        lambda front: front.throttle(1, method="PATCH", times=1, skip=1),
        lambda front: front.refuse(503, method="PATCH", times=2),
        lambda front: front.refuse(500, method="POST", path="/uploads/", times=1),
        lambda front: front.refuse(401, method="PATCH", times=1, skip=1),
        lambda front: front.throttle(1, path="/oauth2/token", times=1),
    ],
    ids=["drop", "drop-put", "drop-manifest", "429", "503", "500", "expired", "429-token"],
)
def test_a_push_gets_through_what_passes(stand, base_pushed, store, skopeo, place, large, fault):
    base_pushed(place)
    base = resolved(store, place)
    fault(stand.registry_front)
    pushed = push(store, base, place, large)
    assert skopeo("inspect", f"{place}:1")["Digest"] == pushed.digest


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (lambda front: front.proxy_page(200, method="PATCH"), UnreachableError),
        (lambda front: front.proxy_page(200, method="PUT", path="/manifests/"), UnreachableError),
        (lambda front: front.refuse(403, code="DENIED", message="quota", method="PATCH"), NotAllowedError),
        (lambda front: front.drop(method="POST"), UnreachableError),
    ],
    ids=["page", "page-manifest", "quota", "drop"],
)
def test_a_push_that_fails_leaves_no_image_and_shows_no_secret(
    stand, setup, base_pushed, store, place, large, fault, error
):
    base_pushed(place)
    base = resolved(store, place)
    fault(stand.registry_front)
    with pytest.raises(error) as refused:
        push(store, base, place, large)
    stand.registry_front.clear()
    assert store.has(place, "1") is None
    assert not any(mark in f"{refused.value!r}{refused.value}" for mark in setup.marks)


def test_who_may_only_pull_is_told_the_role(stand, setup, base_pushed, place):
    base_pushed(place)
    stand.arm.revoke(setup.oid, "AcrPush")
    stand.arm.assign(setup.oid, "AcrPull", setup.registry)
    with Registry(setup.login_server, username=setup.client, password=SecretValue(setup.secret)) as registry:
        store = ImageStore(registry)
        base = resolved(store, place)
        with pytest.raises(NotAllowedError, match="Grant AcrPush"):
            push(store, base, place)
        with pytest.raises(NotAllowedError, match="Grant AcrDelete"):
            store.delete(place, base.digest)


def test_a_secret_that_is_wrong_is_told(setup, base_pushed, place):
    base_pushed(place)
    with (
        Registry(setup.login_server, username=setup.client, password=SecretValue("MARK-wrong")) as registry,
        pytest.raises(CredentialError, match="does not accept the password") as refused,
    ):
        resolved(ImageStore(registry), place)
    assert "MARK" not in str(refused.value)


def test_an_image_is_deleted_by_who_may(stand, setup, base_pushed, registry, store, place):
    base_pushed(place)
    pushed = push(store, resolved(store, place), place)
    stand.arm.assign(setup.oid, "AcrDelete", setup.registry)
    assert store.delete(place, pushed.digest) is True
    assert store.has(place, "1") is None
    assert store.tags(place) == ["base"]
    with pytest.raises(FairingAzureError):
        store.tags(f"{place}-absent")
