"""Images that Azure builds, on the stand: real contexts in Azurite, real builds, a real registry; skopeo judges."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import signal
import subprocess
import tarfile
import threading
import time
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.identity import ClientSecretCredential

from fairing_az_jupyter.clients.azure.acr_tasks import ROLE, AcrTasks
from fairing_az_jupyter.clients.azure.blob.contexts import ContextStore
from fairing_az_jupyter.clients.oci.images import ImageStore
from fairing_az_jupyter.clients.oci.registry import Registry
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import (
    BuildFailedError,
    FairingAzureError,
    NotAllowedError,
    NotFoundError,
    UnreachableError,
)

DOCKERFILE = """\
FROM {base}
ARG GREETING=none
RUN echo "$GREETING" > /greeting
COPY app /app
WORKDIR /app
CMD ["python3", "main.py"]
"""
MAIN = "print(open('/greeting').read().strip())"
SLOW = "FROM {base}\nRUN echo begun && sleep 60\n"


class Place:
    """A registry and a Storage account of a user who may have images built."""

    def __init__(self, stand, tasks, setup, base, folder):
        self.stand, self.tasks, self.setup, self.base, self.folder = stand, tasks, setup, base, folder
        self.credential = ClientSecretCredential(setup.tenant, setup.client, setup.secret)
        self.client = self.connected()
        self.said = []

    def connected(self, login_server=""):
        host = login_server or self.setup.login_server
        return AcrTasks(self.credential, self.setup.subscription, None, host, assignee=self.setup.client)

    def link(self, files):
        path = self.folder / f"{time.monotonic_ns()}.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name, text in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(text.encode())
                archive.addfile(entry, io.BytesIO(text.encode()))
        with closing(ContextStore(self.setup.account, SecretValue(self.setup.account_key))) as store:
            return store.link(store.keep(path, hashlib.sha256(path.read_bytes()).hexdigest()))

    def build(self, content, image="", files=None, **more):
        context = more.pop("context", None) or self.link(
            {"Dockerfile": content.format(base=self.base), "app/main.py": MAIN, **(files or {})}
        )
        tell = more.pop("report", self.said.append)
        return self.client.build(context=context, image=image or self.image(), report=tell, **more)

    def image(self, tag="1"):
        return f"{self.setup.namespace}/model:{tag}"

    def pushed(self, tag="1"):
        with Registry(
            self.setup.login_server, username=self.setup.client, password=SecretValue(self.setup.secret)
        ) as registry:
            return ImageStore(registry).has(f"{self.setup.namespace}/model", tag)

    @property
    def run(self):
        return list(self.tasks.runs.values())[-1]

    def refused(self, kind=BuildFailedError, content="FROM {base}\n", **more):
        with pytest.raises(kind) as refused:
            self.build(content, **more)
        assert not self.leaks(f"{refused.value!r}{refused.value}{refused.value.to_dict()}")
        return refused.value

    def leaks(self, text):
        signatures = [
            parse_qs(urlsplit(run.request["sourceLocation"]).query)["sig"][0] for run in self.tasks.runs.values()
        ]
        return [mark for mark in (*self.setup.marks, *self.tasks.marks, *signatures) if mark in text]

    def skopeo(self, verb, *arguments):
        port = self.stand.registry_front.port
        certificates = self.folder / "certificates"
        certificates.mkdir(exist_ok=True)
        (certificates / "ca.crt").write_bytes(self.stand.authority.bundle.read_bytes())
        self.stand.registry.also_at(f"127.0.0.1:{port}", self.setup.login_server)
        access = ["--cert-dir", str(certificates), "--creds", f"{self.setup.client}:{self.setup.secret}"]
        command = ["skopeo", verb, *access, f"docker://127.0.0.1:{port}/{self.image()}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def place(stand, node, tasks, namespace, tmp_path):
    setup = stand.correct_setup(namespace)
    stand.arm.assign(setup.oid, ROLE, setup.registry)
    found = Place(stand, tasks, setup, node.push_base(setup.login_server, setup.dockerconfig), tmp_path)
    with found.client:
        yield found
    found.credential.close()


def test_an_image_is_built_by_azure_from_a_context_in_blob_storage_and_runs(place):
    digest = place.build(DOCKERFILE, arguments={"GREETING": "hello"})

    assert place.pushed() == digest
    assert place.skopeo("inspect")["Digest"] == digest
    admin, pods = place.stand.control_plane.admin, f"/api/v1/namespaces/{place.setup.namespace}/pods"
    container = {"name": "main", "image": f"{place.setup.login_server}/{place.image()}@{digest}"}
    spec = {"serviceAccountName": "default-editor", "restartPolicy": "Never", "containers": [container]}
    admin.post(pods, {"metadata": {"name": "run"}, "spec": spec})
    end = time.monotonic() + 60
    while admin.get(f"{pods}/run")["status"].get("phase") not in {"Succeeded", "Failed"}:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert admin.call("GET", f"{pods}/run/log").text == "hello\n"


def test_the_image_is_for_the_nodes_and_named_as_asked(place):
    place.build("FROM {base}\n", image=f"{place.setup.login_server}/{place.image()}", seconds=60)

    assert place.run.request["platform"] == {"os": "Linux", "architecture": "amd64"}
    assert place.run.request["imageNames"] == [place.image()]
    assert place.run.request["timeout"] == 300
    assert place.pushed()


def test_a_dockerfile_of_another_name_is_taken(place):
    place.build("FROM nothing.invalid/x\n", files={"docker/Other": f"FROM {place.base}\n"}, dockerfile="docker/Other")

    assert place.pushed()


def test_every_line_of_the_log_is_told_once_and_in_order(place):
    place.build("FROM {base}\nRUN for i in $(seq 20000); do echo line $i of many; done; printf 'no end'\n")

    assert [line for line in place.said if line.startswith("line ")] == [f"line {i} of many" for i in range(1, 20001)]
    assert place.said == place.run.lines
    assert place.said[-1].startswith(f"Run ID: {place.run.id} was successful")


def test_lines_are_told_while_the_build_goes_on(place):
    times = {}

    place.build(
        "FROM {base}\nRUN for i in 1 2 3 4; do echo tick $i; sleep 1.5; done\n",
        report=lambda line: times.setdefault(line, time.monotonic()),
    )

    assert times["tick 4"] - times["tick 1"] > 2


def test_a_log_that_is_not_text_is_told_all_the_same(place):
    place.build("FROM {base}\nRUN printf 'a\\377b\\n\\303\\244\\r\\n\\n'\n")

    assert "a\ufffdb" in place.said
    assert "ä" in place.said


def test_lines_that_come_after_the_end_of_the_run_are_told(place):
    place.tasks.log_lag = 3

    place.build("FROM {base}\n")

    assert "was successful" in place.said[-1]


def test_a_failed_line_is_told_with_the_last_lines_and_nothing_is_pushed(place):
    # buildah stops handing on what a command has said as soon as it has failed.
    error = place.refused(content="FROM {base}\nRUN for i in $(seq 50); do echo step $i; done; sleep 1; exit 7\n")

    assert len(error.last_lines) == 20
    assert error.last_lines[-1].startswith(f"Run ID: {place.run.id} failed")
    assert "step 50" in error.message, error.message
    assert "step 20\n" not in error.message
    assert (
        f"az acr task logs --registry {place.setup.registry.rpartition('/')[2]} --run-id {place.run.id}" in error.hint
    )
    assert (error.code, error.exit_code) == ("build-failed", 4)
    assert place.pushed() is None


def test_requirements_are_installed_and_one_that_is_not_there_is_named(place, package_index):
    package_index.add("greeter", "1.2", {"greeter.py": "greeting = 1\n"})
    install = (
        "FROM {base}\nARG PIP_INDEX_URL\nARG PIP_CERT\nCOPY requirements.txt /requirements.txt\n"
        "RUN python3 -m pip install --no-cache-dir --disable-pip-version-check -r /requirements.txt\n"
    )
    arguments = {"PIP_INDEX_URL": package_index.url, "PIP_CERT": "/run/stand-ca.pem"}
    place.build(install, files={"requirements.txt": "greeter==1.2\n"}, arguments=arguments)

    error = place.refused(content=install, files={"requirements.txt": "greeter==9\n"}, arguments=arguments)

    assert "Correct 'greeter==9' in requirements.txt" in error.hint


def test_a_base_image_that_is_not_there_is_told(place):
    error = place.refused(content=f"FROM {place.setup.login_server}/team/nothing:1\n")

    assert "base_image" in error.hint


def test_a_context_that_can_not_be_fetched_is_told(place):
    link = place.link({"Dockerfile": "FROM scratch\n"}).reveal()

    error = place.refused(context=SecretValue(link.replace("sp=r", "sp=w")))

    assert "could not fetch the build context" in error.hint
    assert "failed to download context" in error.message


def test_who_has_not_the_role_is_told_the_command_that_gives_it(place):
    place.stand.arm.revoke(place.setup.oid, ROLE)
    place.stand.arm.assign(place.setup.oid, "Reader", place.setup.registry)

    error = place.refused(NotAllowedError)

    command = (
        f'az role assignment create --assignee {place.setup.client} --role "{ROLE}" --scope {place.setup.registry}'
    )
    assert command in error.hint
    assert error.status == 403
    assert not [run for run in place.tasks.runs.values() if run.registry["id"] == place.setup.registry]


def test_who_does_not_see_the_registry_is_told_the_role_that_it_takes(place):
    place.stand.arm.revoke(place.setup.oid, ROLE)
    # checkNameAvailability takes a role in the whole subscription, which the documented ones are not.
    place.stand.arm_front.refuse(403, path="checkNameAvailability")

    error = place.refused(NotAllowedError)

    assert error.code == "registry-not-visible"
    assert f'--assignee {place.setup.client} --role "{ROLE}"' in error.hint
    assert "az acr show" in error.hint


@pytest.mark.parametrize("role", ["Contributor", "Owner"])
def test_wider_roles_do_as_well(place, role):
    place.stand.arm.revoke(place.setup.oid, ROLE)
    place.stand.arm.assign(place.setup.oid, role, place.setup.group)

    assert place.build("FROM {base}\n") == place.pushed()


def test_a_registry_that_is_not_there_is_told(place):
    with place.connected("noacrhasthisname.azurecr.io") as client, pytest.raises(NotFoundError, match="noacrhasthis"):
        client.build(context=SecretValue("https://x.blob.core.windows.net/c/b?sig=MARK"), image="a:1")


def test_free_credits_are_told_with_the_other_builders(place):
    text = "ACR Tasks requests for the registry x and y are not permitted."
    place.stand.arm_front.refuse(400, code="TasksOperationsNotAllowed", message=text, path="/scheduleRun")

    error = place.refused(NotAllowedError)

    assert (error.code, error.status) == ("tasks-blocked", 400)
    assert "free credits" in error.message
    assert "layered or kaniko" in error.hint


@pytest.mark.parametrize(
    ("restriction", "runs"),
    [({"publicNetworkAccess": "Disabled"}, 0), ({"networkRuleSet": {"defaultAction": "Deny"}}, 1)],
    ids=["private", "firewall"],
)
def test_a_registry_that_azures_builders_do_not_reach_is_told(place, restriction, runs):
    place.stand.arm.resources[place.setup.registry.lower()]["properties"].update(restriction)
    before = len(place.tasks.runs)

    error = place.refused(NotAllowedError)

    assert error.code == "tasks-blocked"
    assert "layered or kaniko" in error.hint
    assert len(place.tasks.runs) - before == runs


def test_a_registry_with_repository_permissions_is_pushed_to_as_the_caller(stand, node, tasks, namespace, tmp_path):
    setup = stand.correct_setup(namespace, abac=True)
    stand.arm.assign(setup.oid, ROLE, setup.registry)
    place = Place(stand, tasks, setup, node.push_base(setup.login_server, setup.dockerconfig), tmp_path)
    with place.client:
        assert place.build("FROM {base}\n") == place.pushed()

        stand.arm.revoke(setup.oid, "Container Registry Repository Writer")
        error = place.refused(content="FROM scratch\nCOPY app /app\n")
    place.credential.close()

    assert '--role "Container Registry Repository Writer"' in error.hint


@pytest.mark.parametrize("status", [202, 200])
def test_an_interrupt_cancels_the_run_and_is_raised_on(place, caplog, status):
    place.tasks.cancel_status = status
    main = threading.main_thread().ident

    def interrupt():
        while "begun" not in place.said:
            time.sleep(0.05)
        signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        place.build(SLOW)

    assert place.run.status == "Canceled"
    assert place.run.process.wait(10) != 0
    assert not caplog.records
    assert place.pushed() is None


def test_a_listener_that_fails_ends_the_run_too(place):
    def tell(_line):
        raise RuntimeError("the page is gone")

    with pytest.raises(RuntimeError, match="the page is gone"):
        place.build(SLOW, report=tell)

    assert place.run.status == "Canceled"


def test_a_run_that_can_not_be_cancelled_is_named_with_the_command_that_ends_it(place, caplog):
    place.stand.arm_front.refuse(403, path="/cancel", method="POST")

    def tell(line):
        if line == "begun":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.build(SLOW, report=tell)

    name = place.setup.registry.rpartition("/")[2]
    assert f"az acr task cancel-run --registry {name} --run-id {place.run.id}" in caplog.messages[-1]
    assert place.run.status == "Running"


def test_an_interrupt_before_azure_has_answered_says_what_may_be_left(place, caplog):
    context = place.link({"Dockerfile": "FROM scratch\n"})
    place.stand.arm_front.hang(path="/scheduleRun")
    main = threading.main_thread().ident
    threading.Timer(1.5, signal.pthread_kill, (main, signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt):
        place.build("", context=context)

    assert "az acr task list-runs --registry" in caplog.messages[-1]


def test_a_build_that_takes_too_long_is_ended(place):
    began = time.monotonic()

    error = place.refused(content=SLOW, seconds=4)

    assert time.monotonic() - began < 20
    assert error.code == "build-timeout"
    assert "within 4 s" in error.message
    assert "begun" in error.last_lines
    assert place.run.status == "Canceled"


def test_a_run_that_somebody_else_cancels_is_told_as_that(place):
    def tell(line):
        if line == "begun":
            place.tasks.reset()

    error = place.refused(content=SLOW, report=tell)

    assert error.code == "build-cancelled"
    assert "It was cancelled" in error.hint


@pytest.mark.parametrize(
    "fault",
    [
        lambda stand: stand.arm_front.throttle(1, path="/runs/", method="GET", times=3),
        lambda stand: stand.arm_front.throttle(1, path="/scheduleRun", times=1),
        lambda stand: stand.arm_front.refuse(503, path="/runs/", times=2),
        lambda stand: stand.arm_front.drop(path="/runs/", times=2),
        lambda stand: stand.arm_front.proxy_page(502, path="/runs/", method="GET", times=1),
        lambda stand: stand.blob_front.refuse(503, path="rawtext", times=2),
        lambda stand: stand.blob_front.drop(path="rawtext", times=2),
        lambda stand: stand.blob_front.refuse(404, code="BlobNotFound", path="rawtext", times=2),
    ],
    ids=["429", "429-schedule", "503", "drop", "page", "503-log", "drop-log", "404-log"],
)
def test_what_passes_does_not_end_the_build_and_loses_no_line(place, fault):
    link = place.link({"Dockerfile": f"FROM {place.base}\nRUN for i in 1 2 3; do echo $i; sleep 1; done\n"})
    fault(place.stand)

    digest = place.build("", context=link)

    place.stand.reset()
    assert digest == place.pushed()
    assert place.said == place.run.lines


def test_a_log_that_can_not_be_read_is_told_once_and_the_image_is_built(place, caplog):
    link = place.link({"Dockerfile": f"FROM {place.base}\nRUN sleep 6\n"})
    place.stand.blob_front.refuse(403, code="AuthorizationFailure", path="rawtext")

    digest = place.build("", context=link)

    place.stand.reset()
    assert digest == place.pushed()
    assert len([text for text in caplog.messages if "its log can't be read" in text]) == 1
    assert place.said == []


def test_a_link_to_the_log_that_expires_is_replaced(place):
    place.tasks.log_link_seconds = 3

    place.build("FROM {base}\nRUN for i in $(seq 14); do echo $i; sleep 1; done\n")

    assert place.said == place.run.lines
    assert place.stand.arm_front.count("/listLogSasUrl") > 1


def test_no_secret_is_in_what_is_told_logged_or_shown(place, caplog):
    caplog.set_level(logging.DEBUG)
    # Others may have silenced it by then.
    caplog.set_level(logging.DEBUG, "urllib3")
    text = f"FROM {place.base}\nARG LINK\nARG INDEX\nRUN echo $LINK $INDEX; sleep 1; exit 1\n"
    link = place.link({"Dockerfile": text})
    arguments = {"LINK": link.reveal(), "INDEX": "https://me:MARK-index@packages.invalid/simple"}

    error = place.refused(context=link, arguments=arguments)

    shown = "\n".join([*place.said, *caplog.messages, repr(place.client), repr(vars(place.client)), *error.last_lines])
    signature = parse_qs(urlsplit(link.reveal()).query)["sig"][0]
    assert any("(hidden)" in line for line in place.said)
    assert not place.leaks(shown)
    assert "MARK-index" not in shown
    assert signature not in shown
    assert "sig=(hidden)" in shown
    assert not any(call.leak for call in place.stand.arm_front.calls)
    secret = {each["name"]: each["isSecret"] for each in place.run.request["arguments"]}
    assert secret["INDEX"] is True


def test_a_traceback_with_its_variables_shows_no_link(place):
    place.stand.arm_front.refuse(403, path="/scheduleRun")
    link = place.link({"Dockerfile": "FROM scratch\n"})

    with pytest.raises(NotAllowedError) as refused:
        place.build("", context=link)

    shown, traceback = [], refused.value.__traceback__
    while traceback is not None:
        shown += [repr(value) for value in traceback.tb_frame.f_locals.values() if value is not place]
        traceback = traceback.tb_next
    assert parse_qs(urlsplit(link.reveal()).query)["sig"][0] not in "\n".join(shown)


def test_azure_out_of_reach_is_told_and_nothing_was_begun(place):
    context = place.link({"Dockerfile": "FROM scratch\n"})
    place.stand.names.remove("management.azure.com")
    try:
        error = place.refused(UnreachableError, context=context)
    finally:
        place.stand.names.add("management.azure.com", place.stand.arm_front.port)

    assert isinstance(error, FairingAzureError)
    assert error.code == "no-such-host"
