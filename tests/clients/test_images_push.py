"""Images pushed to Docker's registry: what is there afterwards, and what it took."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import tarfile
import threading

import pytest
import requests

from fairing_az_jupyter.clients.oci.images import ConfigChanges, ImageReference, Layer
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import CredentialError, InputError, NotFoundError
from tests.clients.image_parts import (
    DOCKER,
    OCI,
    MemoryRegistry,
    base_in,
    config_of,
    files_in,
    opened,
    put_blob,
    put_image,
    put_index,
    put_manifest,
    sha,
    tar_of,
)
from tests.clients.registry_scene import SECRET, SECRET_IN_HTPASSWD
from tests.stand.forwarding import Forwarder
from tests.stand.scripted import Scripted, errors

LAYER = Layer.from_bytes(tar_of({"app/train.py": "print('trained')"}))


@pytest.fixture(scope="module")
def registry(docker_registry, tmp_path_factory):
    with docker_registry(tmp_path_factory.mktemp("registry")) as made:
        yield made.host


@pytest.fixture
def name(request):
    """A repository that no other test has."""
    return f"team/{request.node.name.lower().replace('[', '-').replace(']', '')[:100]}".rstrip("-_.")


@contextlib.contextmanager
def watched(host):
    """Put a server before a registry that keeps what was asked."""
    with contextlib.closing(Forwarder(f"http://{host}")) as forward, Scripted(forward) as front:
        yield front


def sent_blobs(front):
    return [one for one in front.requests if one.method in {"PATCH", "POST"} or "blobs/uploads" in one.target]


def got(host, repository, what, kind="manifests"):
    headers = {"Accept": f"{OCI['manifest']}, {DOCKER['manifest']}"}
    answer = requests.get(f"http://{host}/v2/{repository}/{kind}/{what}", headers=headers, timeout=20)
    answer.raise_for_status()
    return answer


def push(store, base_store, base, repository, tag="1", layer=LAYER, **more):
    return store.append(base, base_store, layer, repository=repository, tag=tag, created_by="fairing", **more)


@pytest.mark.parametrize("types", [OCI, DOCKER])
def test_an_image_keeps_its_kind_and_its_layers_and_gets_one_more(registry, name, types):
    put_image(f"http://{registry}", name, "base", types=types)
    with opened(registry) as store:
        base = base_in(store, name, "base")
        pushed = push(store, store, base, name, changes=ConfigChanges(env={"LANG": "de"}, cmd=("python",)))
    answer = got(registry, name, "1")
    manifest = answer.json()
    assert answer.headers["Content-Type"] == manifest["mediaType"] == types["manifest"]
    assert sha(answer.content) == pushed.digest
    assert [layer["mediaType"] for layer in manifest["layers"]] == [types["layer"]] * 3
    assert manifest["layers"][:2] == base.manifest["layers"]
    layer = got(registry, name, manifest["layers"][2]["digest"], "blobs").content
    assert files_in(layer) == {"app/train.py": b"print('trained')"}
    config = got(registry, name, manifest["config"]["digest"], "blobs").json()
    assert config["config"]["Env"] == ["PATH=/usr/bin", "LANG=de"]
    assert config["x-unknown"] == {"kept": True}
    assert len(config["rootfs"]["diff_ids"]) == 3
    assert pushed.size == manifest["config"]["size"] + sum(one["size"] for one in manifest["layers"])


def test_the_second_push_sends_nothing(registry, name):
    put_image(f"http://{registry}", name, "base")
    with watched(registry) as front, opened(front.host) as store:
        base = base_in(store, name, "base")
        first = push(store, store, base, name)
        front.requests.clear()
        second = push(store, store, base, name)
        assert [(one.method, one.target) for one in front.requests] == [("HEAD", f"/v2/{name}/manifests/1")]
    assert first.digest == second.digest
    assert (first.sent_bytes > 0, second.sent_bytes, second.requests) == (True, 0, 1)


def test_another_tag_for_the_same_image_sends_no_blob(registry, name):
    put_image(f"http://{registry}", name, "base")
    with watched(registry) as front, opened(front.host) as store:
        base = base_in(store, name, "base")
        push(store, store, base, name)
        front.requests.clear()
        assert push(store, store, base, name, tag="2").sent_bytes == 0
        assert sent_blobs(front) == []
        assert sorted(store.tags(name)) == ["1", "2", "base"]


def test_base_layers_of_another_repository_are_mounted(registry, name):
    put_image(f"http://{registry}", f"{name}/base", "1")
    with watched(registry) as front, opened(front.host) as store:
        pushed = push(store, store, base_in(store, f"{name}/base"), name)
        assert pushed.mounted == 2
        config, layer = pushed.sent_bytes - LAYER.size, LAYER.size
        assert sorted(len(one.content) for one in front.asked("PUT") if "/blobs/" in one.target) == sorted(
            [config, layer]
        )
        assert not [one for one in front.asked("GET") if "/blobs/" in one.target and name in one.target and one.content]
    assert got(registry, name, "1").status_code == 200


def test_a_base_of_another_registry_is_passed_through(registry, name, docker_registry, tmp_path):
    put_image(f"http://{registry}", name, "base")
    with docker_registry(tmp_path / "other") as other, opened(other.host) as store, opened(registry) as source:
        seen = []
        pushed = push(store, source, base_in(source, name, "base"), name, progress=lambda *told: seen.append(told))
        manifest = got(other.host, name, "1").json()
        assert pushed.sent_bytes == pushed.size
        assert seen[-1] == (pushed.size, pushed.size)
        assert seen == sorted(seen)
        for layer in manifest["layers"]:
            assert sha(got(other.host, name, layer["digest"], "blobs").content) == layer["digest"]
        assert push(store, source, base_in(source, name, "base"), name, tag="2").sent_bytes == 0


@pytest.mark.parametrize("types", [OCI, DOCKER])
@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/arm64", "linux/arm64/v8"),
        ("Linux/ARM64/v8", "linux/arm64/v8"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"),
    ],
)
def test_an_index_gives_the_image_for_the_platform(registry, name, types, wanted, found):
    platforms = ["linux/arm/v6", "linux/amd64", "linux/arm64/v8", "linux/arm/v7", "windows/amd64"]
    put_index(f"http://{registry}", name, "base", platforms, types=types)
    with opened(registry) as store:
        base = base_in(store, name, "base", wanted)
        assert base.platform == found
        pushed = push(store, store, base, name)
        layer = got(registry, name, pushed.digest).json()["layers"][0]["digest"]
        assert files_in(got(registry, name, layer, "blobs").content) == {"etc/platform": found.encode()}


def test_a_platform_that_is_not_there_names_those_that_are(registry, name):
    put_index(f"http://{registry}", name, "base", ["linux/arm64/v8", "linux/s390x"])
    with opened(registry) as store, pytest.raises(NotFoundError) as missing:
        base_in(store, name, "base")
    assert missing.value.code == "platform"
    assert "linux/arm64/v8, linux/s390x" in str(missing.value)
    assert "unknown" not in str(missing.value)


def test_a_single_image_of_another_platform_is_refused(registry, name):
    tars = [tar_of({"a": "b"})]
    put_image(f"http://{registry}", name, "base", tars=tars, config=config_of(tars, platform="linux/arm64"))
    with opened(registry) as store, pytest.raises(NotFoundError, match="only for linux/arm64"):
        base_in(store, name, "base")


@pytest.mark.parametrize(
    ("found", "wanted", "fits"),
    [
        ("linux/amd64/v3", "linux/amd64", True),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm/v6", "linux/arm", True),
        ("linux/arm/v6", "linux/arm/v7", False),
        ("windows/amd64", "linux/amd64", False),
    ],
)
def test_the_variant_of_a_single_image_matters_where_one_is_asked_for(registry, name, found, wanted, fits):
    tars = [tar_of({"a": "b"})]
    repository = name.replace("/", "-").replace("_", "-")[-60:].strip("-.")
    put_image(f"http://{registry}", repository, "base", tars=tars, config=config_of(tars, platform=found))
    with opened(registry) as store:
        if fits:
            assert base_in(store, repository, "base", wanted).platform == found
        else:
            with pytest.raises(NotFoundError, match=found):
                base_in(store, repository, "base", wanted)


def test_a_base_without_layers_gets_its_first(registry, name):
    put_image(f"http://{registry}", name, "base", tars=[], extra={"layers": None})
    with opened(registry) as store:
        push(store, store, base_in(store, name, "base"), name)
    assert [one["digest"] for one in got(registry, name, "1").json()["layers"]] == [LAYER.digest]


def test_entries_without_a_platform_are_told_apart_by_their_configuration(registry, name):
    url, entries = f"http://{registry}", []
    for platform in ("linux/arm64", "linux/amd64"):
        tars = [tar_of({"etc/platform": platform})]
        entries.append(put_image(url, name, None, tars=tars, config=config_of(tars, platform=platform)))
    inner = {"schemaVersion": 2, "mediaType": OCI["index"], "manifests": entries}
    entry = put_manifest(url, name, "inner", inner, OCI["index"])
    put_manifest(url, name, "base", {**inner, "manifests": [entry]}, OCI["index"])
    with opened(registry) as store:
        assert base_in(store, name, "base").digest == entries[1]["digest"]
        with pytest.raises(NotFoundError, match=r"linux/s390x"):
            base_in(store, name, "base", "linux/s390x")


def test_the_same_layer_on_the_same_base_gives_the_same_image_in_every_registry(
    registry, name, docker_registry, tmp_path
):
    put_image(f"http://{registry}", name, "base")
    with docker_registry(tmp_path / "other") as other, opened(other.host) as store, opened(registry) as source:
        base = base_in(source, name, "base")
        assert push(store, source, base, "a").digest == push(source, source, base, name).digest


def test_layers_that_are_kept_elsewhere_stay_there(name):
    foreign = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": "sha256:" + "f" * 64,
        "size": 123_456_789,
        "urls": ["https://mcr.example/layer"],
    }
    zstd = {"mediaType": "application/vnd.oci.image.layer.v1.tar+zstd"}
    with Scripted(MemoryRegistry()) as front, opened(front.host) as store:
        url = f"http://{front.host}"
        config = config_of([b"1", b"2"])
        body = json.dumps(config).encode()
        layers = [foreign, {**zstd, **put_blob(url, "base", b"(zstd)")}]
        config = {"mediaType": OCI["config"], **put_blob(url, "base", body)}
        put_manifest(url, "base", "1", {"schemaVersion": 2, "config": config, "layers": layers}, OCI["manifest"])
        push(store, store, base_in(store, "base"), name)
        kind, manifest = front.answering.manifests[name, "1"]
    assert kind == OCI["manifest"]
    assert json.loads(manifest)["layers"][:2] == layers
    assert not front.asked("f" * 64)


def test_what_is_not_about_the_new_image_is_left_out_and_notes_are_kept(registry, name):
    subject = {"mediaType": OCI["manifest"], "digest": "sha256:" + "1" * 64, "size": 2}
    put_image(f"http://{registry}", name, "base", extra={"annotations": {"a": "b"}, "subject": subject})
    with opened(registry) as store:
        base = base_in(store, name, "base")
        push(store, store, base, name)
    made = got(registry, name, "1").json()
    assert made["annotations"] == {"a": "b", "org.opencontainers.image.base.digest": base.digest}
    assert "subject" not in made


def test_an_image_is_deleted_with_its_tags(registry, name):
    put_image(f"http://{registry}", name, "base")
    with opened(registry) as store:
        pushed = push(store, store, base_in(store, name, "base"), name)
        assert store.has(name, "1") == store.has(name, pushed.digest) == pushed.digest
        assert store.delete(name, pushed.digest) is True
        assert store.has(name, "1") is None
        assert store.delete(name, pushed.digest) is False
        assert store.tags(name) == ["base"]
        with pytest.raises(NotFoundError):
            store.tags(f"{name}-absent")


def test_a_password_without_tokens_sends_no_body_twice(name, docker_registry, tmp_path):
    with (
        docker_registry(tmp_path / "basic", htpasswd=f"me:{SECRET_IN_HTPASSWD}\n") as made,
        Scripted(with_credential(made)) as front,
    ):
        put_image(f"http://{front.host}", name, "base", auth=("me", SECRET))
        front.requests.clear()
        with opened(front.host, username="me", password=SecretValue(SECRET)) as store:
            pushed = push(store, store, base_in(store, name, "base"), name)
        assert sum(len(one.content) for one in front.asked("blobs/uploads")) == pushed.sent_bytes
        with opened(front.host, username="me", password=SecretValue("wrong")) as store, pytest.raises(CredentialError):
            base_in(store, name, "base")


def with_credential(registry):
    """Hand requests on to a registry that asks for a password, which is checked here."""

    def answer(request):
        if request.basic != ("me", SECRET):
            return 401, {"WWW-Authenticate": 'Basic realm="test"'}, errors("UNAUTHORIZED")
        return registry.forward(request)

    return answer


def test_many_tags_come_in_pages():
    names = [f"v{number:04}" for number in range(1201)]

    def answer(request):
        if request.target == "/v2/":
            return 200, {"Docker-Distribution-Api-Version": "registry/2.0"}, b"{}"
        first = names.index(request.query["last"]) + 1 if "last" in request.query else 0
        page = names[first : first + 100]
        more = {"Link": f'</v2/a/tags/list?last={page[-1]}&n=100>; rel="next"'} if page[-1] != names[-1] else {}
        return 200, more, json.dumps({"name": "a", "tags": page}).encode()

    with Scripted(answer) as front, opened(front.host) as store:
        assert store.tags("a") == names


@pytest.mark.parametrize(
    ("manifest", "kind", "code"),
    [
        (
            {"schemaVersion": 1, "fsLayers": []},
            "application/vnd.docker.distribution.manifest.v1+json",
            "image-schema-1",
        ),
        ({"schemaVersion": 2}, OCI["manifest"], "image-damaged"),
        ({"schemaVersion": 2, "config": {}, "layers": []}, OCI["manifest"], "image-damaged"),
        ([], OCI["manifest"], "image-damaged"),
        ({"schemaVersion": 2, "mediaType": OCI["index"], "manifests": {}}, OCI["index"], "image-damaged"),
        (
            {
                "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": sha(b""), "size": 0},
                "layers": [],
            },
            OCI["manifest"],
            "no-image",
        ),
    ],
)
def test_what_no_layer_can_be_added_to_is_refused(manifest, kind, code):
    with Scripted(MemoryRegistry()) as front, opened(front.host) as store:
        front.answering.manifests["a", "1"] = (kind, json.dumps(manifest).encode())
        with pytest.raises(InputError) as refused:
            base_in(store, "a")
    assert refused.value.code == code
    assert "127.0.0.1" in refused.value.message


def test_an_index_that_holds_itself_ends():
    with Scripted(MemoryRegistry()) as front, opened(front.host) as store:

        def answer(request):
            if "/manifests/" not in request.target:
                return MemoryRegistry.GO_ON
            digest = "sha256:" + "0" * 64
            entry = {"mediaType": OCI["index"], "digest": digest, "size": 1}
            return 200, {"Content-Type": OCI["index"]}, json.dumps({"manifests": [entry]}).encode()

        front.answering.fault = answer
        with pytest.raises(Exception, match=r"content that does not match|is not available for"):
            base_in(store, "a")


def test_an_image_of_another_registry_is_not_asked_for(registry):
    with opened(registry) as store, pytest.raises(InputError, match="belongs to another registry"):
        store.resolve(ImageReference.parse("contoso.azurecr.io/a:1"))


@pytest.mark.parametrize(("repository", "tag"), [("Team", "1"), ("a", "-"), ("a", ""), ("a/../b", "1"), ("", "1")])
def test_a_bad_name_is_refused_before_anything_is_asked(registry, name, repository, tag):
    put_image(f"http://{registry}", "team/named", "base")
    with watched(registry) as front, opened(front.host) as store:
        base = base_in(store, "team/named", "base")
        front.requests.clear()
        with pytest.raises(InputError):
            push(store, store, base, repository, tag)
        assert front.requests == []


def test_labels_that_make_the_image_too_large_are_refused_before_anything_is_sent(registry, name):
    put_image(f"http://{registry}", name, "base")
    with watched(registry) as front, opened(front.host) as store:
        base = base_in(store, name, "base")
        front.requests.clear()
        with pytest.raises(InputError, match="4194304") as refused:
            push(store, store, base, name, changes=ConfigChanges(labels={"a": "x" * 5_000_000}))
        assert refused.value.code == "manifest-size"
        assert front.requests == []


def test_the_same_image_pushed_eight_times_at_once_is_there_once(registry, name):
    put_image(f"http://{registry}", f"{name}/base", "1")
    digests, problems = [], []
    with opened(registry) as store:
        base = base_in(store, f"{name}/base")

        def run():
            try:
                digests.append(push(store, store, base, name).digest)
            except Exception as error:  # noqa: BLE001 - shown below
                problems.append(error)

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        assert set(digests) == {store.has(name, "1")}


MEMORY = """
import resource, sys, time
from fairing_az_jupyter.clients.oci.images import ImageReference, ImageStore, Layer
from fairing_az_jupyter.clients.oci.registry import Registry
source_host, host, path = sys.argv[1:]
def opened(name):
    return ImageStore(Registry(name, username=None, password=None, scheme="http"))
source, store = opened(source_host), opened(host)
base = source.resolve(ImageReference(source_host, "small", "1"))
small = Layer.from_bytes(bytes(1024))
store.append(base, source, small, repository="warm", tag="1", created_by="x")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with Layer.from_file(path) as layer:
    began = time.monotonic()
    store.append(base, source, layer, repository="big", tag="1", created_by="x")
    sent = time.monotonic() - began
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
base = store.resolve(ImageReference(host, "big", "1"))
began = time.monotonic()
source.append(base, store, small, repository="copied", tag="1", created_by="x")
copied = time.monotonic() - began
grown_by_copy = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(grown, grown_by_copy, f"{sent:.2f} {copied:.2f}")
"""


def test_300_mb_are_sent_and_copied_in_little_memory(registry, docker_registry, tmp_path, run_python):
    put_image(f"http://{registry}", "small", "1")
    block = threading.__name__.encode() * 7 + bytes(range(256)) * 4095
    content = tmp_path / "large.tar.gz"

    with gzip.GzipFile(content, "wb", compresslevel=0, mtime=0) as packed:
        header = tarfile.TarInfo("large")
        header.size = 300 * len(block)
        packed.write(header.tobuf())
        for _ in range(300):
            packed.write(os.urandom(1000) + block[1000:])
        packed.write(bytes(1024))
    with docker_registry(tmp_path / "other") as other:
        told = run_python(MEMORY, registry, other.host, str(content)).stdout.split()
        assert int(got(other.host, "big", "1").json()["layers"][-1]["size"]) == content.stat().st_size
    grown, grown_by_copy = int(told[0]), int(told[1])
    assert grown < 32 * 1024, told  # in KiB
    assert grown_by_copy < 120 * 1024, told
