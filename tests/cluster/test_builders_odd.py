"""Images of odd tasks: files in odd places, requirements in odd forms, odd base images, launches at once."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cloudpickle
import pytest
from kubeflow.fairing import TrainJob

from fairing_az_jupyter.clients.oci.images import ConfigChanges, ImageReference, Layer
from fairing_az_jupyter.exceptions import BuildFailedError, ContextError, FairingAzureError
from fairing_az_jupyter.fairing.images.dockerfiles import LABEL
from tests.clients.image_parts import tar_of

TEMPORARY = "/tmp"  # noqa: S108 - the image's own

PLACES = {
    "note.txt": f"{TEMPORARY}/note.txt",
    "tool.sh": "/bin/tool.sh",
    "model": "/opt/the model/v1",
    "quoted.txt": '/srv/it\'s "$HOME" [ü]\n*.txt',
}


class Reporter:
    def train(self):
        import json
        import subprocess
        from pathlib import Path

        told = {
            "temporary": oct(Path(TEMPORARY).stat().st_mode & 0o7777),
            "links": [Path("/bin").is_symlink(), Path("/lib").is_symlink()],
            "note": Path(TEMPORARY, "note.txt").read_text(),
            "tool": subprocess.run(["/bin/tool.sh"], capture_output=True, text=True, check=True).stdout,
            "model": Path("/opt/the model/v1/deep/weights").read_text(),
            "quoted": Path('/srv/it\'s "$HOME" [ü]\n*.txt').read_text(),
            "left": [each.name for each in Path("/").iterdir() if "fairing" in each.name],
        }
        print(json.dumps(told))


class Greeting:
    def train(self):
        import greeter

        print(greeter.greeting)


def greet():
    print("here")


@pytest.fixture(autouse=True)
def as_in_a_notebook():
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def job(yard, entry, *, path="odd", base=None, mutators=None, files=(), output_map=None, **settings):
    registry = f"{yard.workshop.setup.login_server}/{yard.workshop.namespace}/{path}"
    return TrainJob(
        entry,
        input_files=list(files),
        output_map=output_map,
        docker_registry=registry,
        base_docker_image=base or yard.workshop.base,
        backend=yard.workshop.backend(**settings),
        pod_spec_mutators=mutators,
    )


def write(name, content):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize("builder", ["layered", "kaniko"])
def test_files_go_to_any_place_of_the_image_and_its_own_folders_stay_as_they_are(yard, builder):
    write("note.txt", "a note")
    write("tool.sh", "#!/bin/sh\necho of the shell\n")
    write("model/deep/weights", "w")
    write("quoted.txt", "q")

    lines = job(yard, Reporter, output_map=PLACES, builder=builder).submit().lines

    assert json.loads(lines[-1]) == {
        "temporary": "0o1777",
        "links": [True, True],
        "note": "a note",
        "tool": "of the shell\n",
        "model": "w",
        "quoted": "q",
        "left": [],
    }


ODD = 'greeter==1.0 ; platform_release != "a\\b $HOME ${PATH} <<EOF \' ü"'


@pytest.mark.parametrize("builder", ["layered", "kaniko"])
def test_no_requirement_is_read_as_anything_but_a_requirement(yard, builder, tmp_path):
    text = f'# only a comment \\\r\n{ODD}\\\r\n   # it\'s "quoted"\r\n'
    write("requirements.txt", text.encode("utf-16"))

    task = job(yard, Greeting, files=["requirements.txt"], builder=builder)

    assert task.submit().lines == ("one",)
    [tag] = yard.workshop.images.tags(f"{yard.workshop.namespace}/odd/fairing-job")
    told = yard.workshop.skopeo(tmp_path, "inspect", f"{yard.workshop.namespace}/odd/fairing-job:{tag}")
    assert told["Labels"][LABEL] == ODD


def at_once(*calls):
    """Run calls at the same time; return what each returned or raised."""
    results = [None] * len(calls)

    def run(number, call):
        try:
            results[number] = call()
        except FairingAzureError as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return results


def test_the_same_build_asked_for_at_once_is_built_once(yard):
    write("requirements.txt", "greeter==1.0\n")
    tasks = [job(yard, Greeting, files=["requirements.txt"]) for _ in range(3)]

    results = at_once(*(task.builder.build for task in tasks))

    assert results == [None, None, None]
    assert len({task.builder.image_tag for task in tasks}) == 1
    made = [call for call in yard.builds if call.status == 201]
    assert len(made) == 1
    assert yard.workshop.nothing_left()


def test_builds_for_two_paths_of_a_registry_don_t_take_each_other_s_place(yard):
    write("requirements.txt", "greeter==1.0\n")
    tasks = [job(yard, Greeting, files=["requirements.txt"], path=path) for path in ("one", "two")]

    assert at_once(*(task.builder.build for task in tasks)) == [None, None]

    assert len({task.builder.image_tag for task in tasks}) == 2
    assert tasks[1].submit().lines == ("one",)


LAUNCH = """
import sys
import tempfile
from kubeflow.fairing import TrainJob
from kubeflow.fairing.backends import KubeflowAzureBackend
from train import work
task = TrainJob(work, input_files=["requirements.txt"], docker_registry=sys.argv[1], base_docker_image=sys.argv[2],
                backend=KubeflowAzureBackend())
task.builder.build()
print("IMAGE", task.builder.image_tag)
"""


def test_two_processes_build_once_and_give_one_image(yard):
    write("requirements.txt", "greeter==1.0\n")
    write("train.py", "def work():\n    kinds = {'a', 'b', 'c'}\n    print('b' in {'a', 'b', 'c'}, sorted(kinds))\n")
    write("launch.py", LAUNCH)
    registry = f"{yard.workshop.setup.login_server}/{yard.workshop.namespace}/processes"
    own = {"NAMESPACE": yard.workshop.namespace, "BUILDER_IMAGE": yard.workshop.builder_image, "BUILD_CPU": "100m"}
    given = {**yard.workshop.setup.settings, **{f"FAIRING_{name}": value for name, value in own.items()}}
    env = {**os.environ, **{name: value for name, value in given.items() if value is not None}}
    command = [sys.executable, "launch.py", registry, yard.workshop.base]
    running = [
        subprocess.Popen(
            command, env=env | {"PYTHONHASHSEED": seed}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for seed in ("1", "2")
    ]
    said = [process.communicate(timeout=150)[0] for process in running]

    assert [process.returncode for process in running] == [0, 0], said
    images = {line.split()[1] for each in said for line in each.splitlines() if line.startswith("IMAGE")}
    assert len(images) == 1, said
    assert len([call for call in yard.builds if call.status == 201]) == 1


def test_a_build_that_somebody_deletes_is_told_and_made_anew(yard):
    write("requirements.txt", "greeter==1.0\n")
    task, admin = job(yard, Greeting, files=["requirements.txt"]), yard.workshop.admin
    place = f"/apis/batch/v1/namespaces/{yard.workshop.namespace}/jobs"

    def delete():
        end = time.monotonic() + 60
        while not (found := [each for each in admin.get(place)["items"] if each["status"].get("active")]):
            assert time.monotonic() < end
            time.sleep(0.05)
        admin.delete(f"{place}/{found[0]['metadata']['name']}?propagationPolicy=Background")

    raised, _ = at_once(task.builder.build, delete)

    assert isinstance(raised, BuildFailedError), raised
    assert "deleted" in str(raised)
    assert yard.workshop.nothing_left()
    assert job(yard, Greeting, files=["requirements.txt"]).submit().lines == ("one",)


def interrupting(monkeypatch, owner, name, *, after, which=lambda *_: True):
    """Interrupt the user's process in one call of a function, as Ctrl-C does: before it, or when it is done."""
    real, over = getattr(owner, name), []

    def call(*arguments, **options):
        if over or not which(*arguments):
            return real(*arguments, **options)
        over.append(1)
        if after:
            real(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(owner, name, call)


@pytest.mark.parametrize("step", ["packing", "sent", "job", "secret", "started", "append"])
def test_an_interrupt_leaves_nothing_that_is_not_told(yard, monkeypatch, caplog, step, tmp_path):
    from fairing_az_jupyter.clients.azure.blob.contexts import ContextStore
    from fairing_az_jupyter.clients.kube.workloads import Workloads
    from fairing_az_jupyter.clients.oci.images import ImageStore
    from fairing_az_jupyter.fairing.images import builder as builders

    kind = {"secret": "Secret", "started": "Job"}.get(step)
    owner, name, after = {
        "packing": (builders, "write_archive", True),
        "sent": (ContextStore, "keep", True),
        "job": (Workloads, "create", True),
        "secret": (Workloads, "apply", True),
        "started": (Workloads, "apply", True),
        "append": (ImageStore, "append", False),
    }[step]
    write("requirements.txt", "greeter==1.0\n")
    with monkeypatch.context() as patch:
        which = (lambda _self, body, *_: body["kind"] == kind) if kind else (lambda *_: True)
        interrupting(patch, owner, name, after=after, which=which)
        with pytest.raises(KeyboardInterrupt):
            job(yard, Greeting, files=["requirements.txt"]).builder.build()

    assert list((tmp_path / "home").rglob("*.tar*")) == []
    # What an interrupted call has made can't be known; it is told with its name.
    assert all(each in caplog.text for each in yard.workshop.left()) if step == "job" else yard.workshop.nothing_left()
    task = job(yard, Greeting, files=["requirements.txt"])
    task.builder.build()
    assert len([call for call in yard.builds if call.status == 201]) == {"secret": 2, "started": 2}.get(step, 1)
    assert task.submit().lines == ("one",)
    assert yard.workshop.nothing_left()


def based(yard, name, files=None, **changes):
    """Push a base image that differs from the stand's; return its name."""
    images = yard.workshop.images
    resolved = images.resolve(ImageReference.parse(yard.workshop.base))
    layer = Layer.from_bytes(tar_of({"etc/odd.txt": b"odd", **(files or {})}))
    repository = f"{yard.workshop.namespace}/base"
    changed = ConfigChanges(**changes)
    pushed = images.append(resolved, images, layer, repository=repository, tag=name, created_by="odd", changes=changed)
    return pushed.name.partition("@")[0] + f":{name}"


@pytest.mark.parametrize("builder", ["layered", "kaniko"])
def test_a_base_image_may_have_a_user_and_an_entrypoint_of_its_own(yard, builder):
    write("requirements.txt", "greeter==1.0\n")
    base = based(yard, "own", user="1000:1000", entrypoint=("/bin/false",), working_dir="/nowhere/yet")

    task = job(yard, Greeting, files=["requirements.txt"], base=base, builder=builder)

    assert task.submit().lines == ("one",)


def test_a_base_image_whose_python_is_python3_only_is_told(yard):
    write("requirements.txt", "greeter==1.0\n")
    base = based(yard, "python3", {"usr/bin/.wh.python": b"", "usr/local/bin/.wh.python": b""})

    with pytest.raises(BuildFailedError) as caught:
        job(yard, Greeting, files=["requirements.txt"], base=base).builder.build()

    assert caught.value.code == "no-python"
    assert "the base image has no program 'python'" in caught.value.message
    assert "runc" not in str(caught.value)
    assert "base_image" in caught.value.hint
    assert yard.workshop.nothing_left()


PAPERMILL = """#!/bin/sh
cp "$1" "$2" && echo "ran $1 to $2"
"""


def test_a_notebook_and_a_python_file_in_a_folder_are_tasks_too(yard):
    write("papermill", PAPERMILL)
    write("my notebook ü.ipynb", json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    write("package/__init__.py", "")
    write("package/words.py", "word = 'of the package'\n")
    write("package/data/empty.txt", "")
    write("-run me.py", "import os, package.words\nprint(package.words.word, os.getcwd(), os.listdir('package'))\n")

    notebook = job(yard, "my notebook ü.ipynb", output_map={"papermill": "/usr/local/bin/papermill"})
    script = job(yard, "-run me.py", files=["package"])

    assert notebook.submit().lines == ("ran my notebook ü.ipynb to fairing_output_notebook.ipynb",)
    assert script.submit().lines[0].startswith("of the package /app [")


def test_requirements_that_ask_for_nothing_need_no_build(yard):
    write("requirements.txt", "# nothing yet\r\n\r\n--pre\r\n")

    job(yard, greet, files=["requirements.txt"]).builder.build()

    assert yard.builds == []


def test_modules_of_the_user_don_t_take_the_place_of_pip_s(yard):
    write("json.py", "raise SystemExit('the user own json')\n")
    write("more.txt", "greeter==2.0\n")
    write("requirements.txt", "-r more.txt\n")

    job(yard, greet, files=["requirements.txt", "more.txt", "json.py"]).builder.build()

    assert len(yard.builds) == 1


def test_credentials_in_requirements_are_seen_nowhere(yard, caplog, capsys, tmp_path):
    index = yard.workshop.index.url.replace("https://", "https://reader:T0P5ECRET@")
    write("requirements.txt", f"--extra-index-url {index}\ngreeter @ {index}none.whl?sig=T0P5ECRET\n")

    with pytest.raises(BuildFailedError) as caught:
        job(yard, greet, files=["requirements.txt"]).builder.build()

    told = f"{caught.value} {caught.value.last_lines} {caplog.text} {capsys.readouterr()}"
    assert "T0P5ECRET" not in told
    assert "none.whl" in told
    objects = yard.workshop.admin.get(f"/api/v1/namespaces/{yard.workshop.namespace}/events")
    assert "T0P5ECRET" not in json.dumps(objects)


def test_mutators_see_the_task_s_own_specification_and_a_tuple_does(yard):
    from kubeflow.fairing.kubernetes.utils import get_resource_mutator

    write("requirements.txt", "greeter==1.0\n")

    def careful(kube_manager, pod_spec, namespace):
        [container] = pod_spec.containers
        container.env.append(type(container.env[0])(name="SEEN", value=container.command[0]))
        assert container.working_dir == "/app/"

    mutators = (get_resource_mutator(cpu=0.1, memory=0.25), careful)

    task = job(yard, Greeting, files=["requirements.txt"], mutators=mutators)

    assert task.submit().lines == ("one",)


def test_a_build_outlives_faults_of_all_services(yard):
    write("requirements.txt", "greeter==1.0\n")
    write("large.bin", os.urandom(20 << 20))
    stand = yard.stand
    stand.registry_front.refuse(500, path="fairing-dependencies-[0-9a-f]+/manifests/", method="PUT", times=1)
    stand.registry_front.refuse(503, path="fairing-job/blobs/uploads", times=2)
    stand.registry_front.refuse(429, path="fairing-job/manifests/", method="PUT", times=1)
    stand.blob_front.refuse(503, code="ServerBusy", message="busy", method="PUT", times=2)
    stand.blob_front.drop(method="GET", times=1)
    stand.kubernetes_front.refuse(500, method="POST", path="/jobs", times=1)
    stand.kubernetes_front.drop(path="watch=|/log", times=3)

    task = job(yard, Greeting, files=["requirements.txt", "large.bin"])

    assert task.submit().lines == ("one",)
    assert yard.workshop.nothing_left()


def test_a_private_registry_of_the_base_image_without_a_login_is_told(yard):
    other = yard.stand.correct_setup(f"{yard.workshop.namespace}-other").login_server

    with pytest.raises(FairingAzureError) as caught:
        job(yard, greet, base=f"{other}/base/python:3.11").builder.build()

    assert other in str(caught.value)
    assert "acrcreds" in caught.value.hint


def test_files_of_the_folder_for_temporary_files_are_the_user_s_own(yard, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model = tmp_path / "model"
    write(model / "weights", "w")
    write(tmp_path / "data.bin", b"\x00" * 100)
    task = job(yard, greet, output_map={str(model): "/app/model", str(tmp_path / "data.bin"): "/app/data.bin"})

    assert task.submit().lines == ("here",)

    del task
    gc.collect()
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_file()) == ["data.bin"]
    missing = job(yard, greet, output_map={str(tmp_path / "gone.bin"): "/app/gone.bin"})
    with pytest.raises(ContextError, match=r"gone\.bin"):
        missing.builder.build()
