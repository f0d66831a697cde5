"""Files in a real Azurite, by the credential of the settings: by token and by key, beyond a token's life."""

from __future__ import annotations

import json
import os
import threading
import time

import jwt
import nbformat
import pytest

from fairing_az_jupyter.exceptions import ConflictError, CredentialError, InputError, NotAllowedError, NotFoundError
from fairing_az_jupyter.runs.papermill_io import AbsHandler
from fairing_az_jupyter.runs.places.addresses import Places

DATA_ROLE, READ_ROLE = "Storage Blob Data Contributor", "Storage Blob Data Reader"
KEY_ROLE = "Storage Account Contributor"
MEGABYTE = 1024 * 1024


@pytest.mark.parametrize("data_role", [True, False])
def test_a_file_comes_back_as_it_was_written_by_the_secret_of_the_cluster(scene_of, data_role):
    scene = scene_of(data_role=data_role)
    files = scene.files()
    url = scene.url("a folder/ä ünï 100%.ipynb")

    files.write(url, b'{"cells": []}\r\n')

    assert files.read(url) == b'{"cells": []}\r\n'
    assert (files.exists(url), files.exists(scene.url("other.ipynb")), files.exists(scene.url("x", "none"))) == (
        True,
        False,
        False,
    )
    assert scene.names() == ["a folder/ä ünï 100%.ipynb"]


@pytest.mark.parametrize("kind", ["environment", "auto"])
def test_the_variables_of_the_environment_are_a_credential_too(scene_of, kind):
    scene = scene_of(prepared=False, data_role=True)
    setup = scene.setup
    principal = {
        "AZURE_CLIENT_ID": setup.client,
        "AZURE_TENANT_ID": setup.tenant,
        "AZURE_CLIENT_SECRET": setup.secret,
    }

    files = scene.files(principal, credential=kind)
    files.write(scene.url("out.ipynb"), b"{}")

    assert files.read(scene.url("out.ipynb")) == b"{}"


def test_workload_identity_reads_and_writes(scene_of, stand, tmp_path):
    scene = scene_of(prepared=False, data_role=True)
    setup = scene.setup
    token = stand.control_plane.token(setup.namespace, "default-editor", audiences=("api://AzureADTokenExchange",))
    (tmp_path / "token").write_text(token)
    claims = jwt.decode(token, options={"verify_signature": False})
    stand.entra.apps[setup.client].federated.add((claims["iss"], claims["sub"], "api://AzureADTokenExchange"))
    around = {
        "AZURE_CLIENT_ID": setup.client,
        "AZURE_TENANT_ID": setup.tenant,
        "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "token"),
    }

    files = scene.files(around, credential="workload-identity")
    files.write(scene.url("out.ipynb"), b"{}")

    assert files.read(scene.url("out.ipynb")) == b"{}"


@pytest.mark.parametrize("data_role", [True, False])
def test_an_account_on_loopback_is_named_as_azurite_has_it(scene_of, stand, data_role):
    scene = scene_of(data_role=data_role)
    url = scene.url("out.ipynb", host=f"127.0.0.1:{stand.blob_front.port}/{scene.setup.account}")
    files = scene.files()

    files.write(url, b"{}")

    assert files.read(url) == b"{}"
    assert [blob.url for blob in files.list(url)] == [url]
    assert scene.names() == ["out.ipynb"]


@pytest.mark.parametrize(
    "size", [0, 1, MEGABYTE // 2, 8 * MEGABYTE, 17 * MEGABYTE // 2, 8 * MEGABYTE + 1, 100 * MEGABYTE]
)
def test_files_of_all_sizes_come_back_byte_by_byte(scene_of, size):
    scene = scene_of(data_role=True)
    files = scene.files()
    data = (os.urandom(MEGABYTE) * (size // MEGABYTE + 1))[:size]

    files.write(scene.url("out.bin"), data)

    assert files.read(scene.url("out.bin")) == data


def test_a_listing_tells_size_and_time_and_every_page(scene_of):
    scene = scene_of(data_role=True)
    files = scene.files()
    for name in ("a/1.ipynb", "a/2.ipynb", "b.ipynb"):
        files.write(scene.url(name), b"12345")

    found = files.list(scene.url("a/"))

    assert [(blob.url, blob.name, blob.size) for blob in found] == [
        (scene.url("a/1.ipynb"), "a/1.ipynb", 5),
        (scene.url("a/2.ipynb"), "a/2.ipynb", 5),
    ]
    assert abs(found[0].modified.timestamp() - time.time()) < 600
    assert len(files.list(scene.url(""))) == 3
    assert files.list(scene.url("nothing")) == []


def test_what_is_deleted_is_gone_and_deleting_again_does_no_harm(scene_of):
    scene = scene_of(data_role=True)
    files = scene.files()
    files.write(scene.url("out.ipynb"), b"{}")

    assert (files.delete(scene.url("out.ipynb")), files.delete(scene.url("out.ipynb"))) == (True, False)
    assert scene.names() == []


@pytest.mark.parametrize("size", [10, 9 * MEGABYTE])
def test_what_is_there_is_not_replaced_where_that_was_asked(scene_of, size):
    scene = scene_of(data_role=True)
    files = scene.files()
    files.write(scene.url("lock"), b"first", if_absent=True)

    with pytest.raises(ConflictError) as refused:
        files.write(scene.url("lock"), bytes(size), if_absent=True)

    assert refused.value.code == "already-there"
    assert files.read(scene.url("lock")) == b"first"


def test_of_many_who_write_the_same_new_file_at_once_one_does(scene_of):
    scene = scene_of(data_role=True)
    files = scene.files()
    files.write(scene.url("other"), b"")
    won, lost = [], []

    def write(number):
        try:
            files.write(scene.url("lock"), str(number).encode(), if_absent=True)
            won.append(number)
        except ConflictError:
            lost.append(number)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()

    assert len(won) == 1
    assert len(lost) == 7
    assert files.read(scene.url("lock")) == str(won[0]).encode()


def test_two_who_write_the_same_large_file_at_once_leave_one_of_both(scene_of):
    scene = scene_of(data_role=True)
    files = scene.files()
    large = [bytes([number]) * (20 * MEGABYTE) for number in (1, 2)]
    failed = []

    def write(data):
        try:
            files.write(scene.url("large"), data)
        except Exception as error:  # noqa: BLE001 - told by the assertion
            failed.append(error)

    writers = [threading.Thread(target=write, args=(data,)) for data in large]
    for each in writers:
        each.start()
    for each in writers:
        each.join()

    assert failed == []
    assert files.read(scene.url("large")) in large


def test_tokens_of_a_few_seconds_are_renewed_without_anybody_noticing(scene_of, stand, monkeypatch):
    monkeypatch.setattr(stand.entra, "lifetime", 3)
    scene = scene_of(data_role=True)
    files = scene.files()
    files.write(scene.url("out.ipynb"), b"1")
    asked = stand.entra_front.count("/oauth2/v2.0/token", "POST")
    time.sleep(4)

    assert files.read(scene.url("out.ipynb")) == b"1"
    files.write(scene.url("out.ipynb"), b"2")
    assert files.read(scene.url("out.ipynb")) == b"2"
    assert stand.entra_front.count("/oauth2/v2.0/token", "POST") > asked


def test_a_token_that_is_refused_before_its_time_is_taken_anew_once(scene_of, stand, monkeypatch):
    issue = stand.entra.token
    shorter = 3

    def token(client, audience):
        lifetime, stand.entra.lifetime = stand.entra.lifetime, shorter
        try:
            return issue(client, audience)
        finally:
            stand.entra.lifetime = lifetime

    # Entra promises an hour, and Storage sees three seconds: a token that was revoked, or a clock that is wrong.
    monkeypatch.setattr(stand.entra, "token", token)
    scene = scene_of(data_role=True)
    files = scene.files()
    files.write(scene.url("out.ipynb"), b"1")
    time.sleep(4)

    assert files.read(scene.url("out.ipynb")) == b"1"
    time.sleep(4)
    files.write(scene.url("out.ipynb"), b"2")
    time.sleep(4)
    found = []
    readers = [threading.Thread(target=lambda: found.append(files.read(scene.url("out.ipynb")))) for _ in range(8)]
    for each in readers:
        each.start()
    for each in readers:
        each.join()
    assert found == [b"2"] * 8
    assert [call.status for call in stand.blob_front.calls if call.status in {401, 403}]


def test_a_401_in_mid_run_is_tried_once_more_and_then_told(scene_of, stand):
    scene = scene_of(data_role=True)
    files = scene.files()
    files.write(scene.url("out.ipynb"), b"1")

    stand.blob_front.refuse(401, code="InvalidAuthenticationInfo", times=1)
    assert files.read(scene.url("out.ipynb")) == b"1"

    stand.blob_front.refuse(401, code="InvalidAuthenticationInfo")
    with pytest.raises(CredentialError) as refused:
        files.read(scene.url("out.ipynb"))
    assert scene.url("out.ipynb") in refused.value.message


def test_a_secret_that_was_renewed_in_mid_run_is_read_anew(scene_of, stand, monkeypatch):
    monkeypatch.setattr(stand.entra, "lifetime", 3)
    scene = scene_of(data_role=True)
    setup = scene.setup
    files = scene.files()
    files.write(scene.url("out.ipynb"), b"1")

    stand.entra.apps[setup.client].secrets.clear()
    stand.entra.register(setup.tenant, setup.client, "MARK-another-secret")
    changed = {"stringData": {"AZ_CLIENT_SECRET": "MARK-another-secret"}}
    stand.control_plane.admin.patch(f"/api/v1/namespaces/{setup.namespace}/secrets/azcreds", changed)
    time.sleep(4)

    assert files.read(scene.url("out.ipynb")) == b"1"


def test_a_role_that_only_reads_reads_by_token_and_writes_by_the_accounts_key(scene_of, stand):
    scene = scene_of()
    stand.arm.assign(scene.setup.oid, READ_ROLE, scene.setup.group)
    scene.put("in.ipynb", b"in")
    files = scene.files()

    assert files.read(scene.url("in.ipynb")) == b"in"
    assert stand.arm_front.count("/listKeys") == 0
    files.write(scene.url("out.ipynb"), b"out")
    assert files.read(scene.url("out.ipynb")) == b"out"
    assert stand.arm_front.count("/listKeys") == 1


def test_a_role_that_only_reads_and_no_key_says_which_role_writes(scene_of, stand):
    scene = scene_of()
    setup = scene.setup
    stand.arm.revoke(setup.oid, KEY_ROLE)
    stand.arm.assign(setup.oid, READ_ROLE, setup.group)
    scene.put("in.ipynb", b"in")
    files = scene.files()

    assert files.read(scene.url("in.ipynb")) == b"in"
    for attempt in (files.write, lambda url, _data: files.check_writable(url)):
        with pytest.raises(NotAllowedError) as refused:
            attempt(scene.url("out.ipynb"), b"out")
        assert refused.value.code == "no-data-role"
        assert scene.url("out.ipynb") in refused.value.message
        assert f"--assignee {setup.client}" in refused.value.hint
        assert f"--scope {setup.account_id}" in refused.value.hint
    assert scene.names() == ["in.ipynb"]


def test_another_account_is_reached_by_token_and_never_by_its_key(scene_of, stand):
    scene = scene_of()
    other = stand.blob.take()
    stand.arm.add_account(scene.setup.group, other)
    stand.names.add(f"{other}.blob.core.windows.net", stand.blob_front.port)
    scene.put("in.ipynb", b"in", account=other)
    url = scene.url("in.ipynb", host=f"{other}.blob.core.windows.net")
    files = scene.files()

    with pytest.raises(NotAllowedError) as refused:
        files.read(url)
    assert (refused.value.code, other in refused.value.hint) == ("no-data-role", True)
    assert stand.arm_front.count("/listKeys") == 0

    stand.arm.assign(scene.setup.oid, READ_ROLE, scene.setup.group)
    assert files.read(url) == b"in"


def test_a_role_that_is_given_in_mid_run_acts(scene_of, stand):
    scene = scene_of()
    stand.arm.revoke(scene.setup.oid, KEY_ROLE)
    files = scene.files()
    with pytest.raises(NotAllowedError):
        files.write(scene.url("out.ipynb"), b"1")

    stand.arm.assign(scene.setup.oid, DATA_ROLE, scene.setup.group)
    files.write(scene.url("out.ipynb"), b"1")

    assert files.read(scene.url("out.ipynb")) == b"1"


def test_what_is_missing_is_named_the_blob_the_container_and_the_account(scene_of, stand):
    scene = scene_of(data_role=True)
    scene.put("in.ipynb")
    files = scene.files()

    for url, told in [
        (scene.url("none.ipynb"), "the blob does not exist"),
        (scene.url("in.ipynb", "none"), "the container does not exist"),
        (scene.url("in.ipynb", host="nosuchaccount.blob.core.windows.net"), "storage account nosuchaccount not found"),
    ]:
        with pytest.raises(NotFoundError) as missing:
            files.read(url)
        assert told in missing.value.message
        assert url in missing.value.message
        assert missing.value.hint
    with pytest.raises(NotFoundError, match="the container does not exist"):
        files.list(scene.url("", "none"))


def test_a_firewall_is_told_and_no_key_is_asked_for(scene_of, stand):
    scene = scene_of(data_role=True)
    stand.blob_front.refuse(403, code="AuthorizationFailure")

    with pytest.raises(NotAllowedError) as refused:
        scene.files().read(scene.url("in.ipynb"))

    assert refused.value.code == "network-rules"
    assert stand.arm_front.count("/listKeys") == 0


@pytest.mark.parametrize("data_role", [True, False])
def test_a_check_before_the_run_makes_the_container_and_leaves_nothing_in_it(scene_of, data_role):
    scene = scene_of(data_role=data_role)

    scene.files().check_writable(scene.url("out.ipynb"))

    assert scene.names() == []


def test_a_dropped_connection_is_no_matter(scene_of, stand):
    scene = scene_of(data_role=True)
    files = scene.files()
    files.write(scene.url("out.ipynb"), b"1")
    stand.blob_front.drop(path="/runs/", times=1)
    assert files.read(scene.url("out.ipynb")) == b"1"

    stand.blob_front.drop(path="/runs/", method="PUT", times=2)
    files.write(scene.url("large"), bytes(20 * MEGABYTE))
    assert files.read(scene.url("large")) == bytes(20 * MEGABYTE)


def test_no_secret_and_no_signature_is_in_an_error_or_in_an_address(scene_of, stand):
    scene = scene_of()
    stand.blob_front.forbidden = set(scene.setup.marks)
    files = scene.files()
    files.write(scene.url("out.ipynb"), b"1")
    signed = f"{scene.url('out.ipynb')}?sv=2024&sig=MARK-signature"

    for use in (files.read, files.exists, files.list, files.delete, files.check_writable):
        with pytest.raises(InputError) as refused:
            use(signed)
        assert "MARK" not in str(refused.value) + repr(refused.value)
    assert [call for call in stand.blob_front.calls if call.leak] == []
    assert [mark for mark in scene.setup.marks if mark in repr(vars(files)) + repr(scene.opened)] == []


def test_places_read_and_write_where_the_settings_say(scene_of, tmp_path):
    scene = scene_of(data_role=True)
    around = {**os.environ, **scene.setup.environment}
    places = Places(scene.settings, around, service_account_folder=scene.setup.service_account)
    scene.opened.append(places)
    url = scene.url("folder/out.ipynb")

    places.check_writable(url)
    assert not places.exists(url)
    places.write(url, b"{}")

    assert (places.read(url), places.exists(url), places.name(url)) == (b"{}", True, "out.ipynb")
    assert places.list(scene.url("folder/")) == [url]


def test_papermill_itself_runs_from_blob_to_blob(scene_of, stand, monkeypatch):
    scene = scene_of(data_role=True)
    setup = scene.setup
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell("print(x + 1)"),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    scene.put("in.ipynb", nbformat.writes(notebook).encode())
    principal = {"AZURE_CLIENT_ID": setup.client, "AZURE_TENANT_ID": setup.tenant, "AZURE_CLIENT_SECRET": setup.secret}
    for name, value in {**principal, "KUBECONFIG": "/none"}.items():
        monkeypatch.setenv(name, value)
    import papermill
    from papermill.iorw import papermill_io

    monkeypatch.setattr(papermill_io, "_handlers", [("abs://", AbsHandler), *papermill_io._handlers])  # noqa: SLF001
    monkeypatch.setattr(AbsHandler, "_places", None)
    try:
        papermill.execute_notebook(
            scene.url("in.ipynb"), scene.url("out.ipynb"), parameters={"x": 41}, progress_bar=False
        )
        text = AbsHandler.read(scene.url("out.ipynb"))
    finally:
        AbsHandler._places.close()  # noqa: SLF001

    assert json.loads(text)["cells"][-1]["outputs"][0]["text"] == ["42\n"]
    assert AbsHandler.pretty_path(scene.url("out.ipynb?sig=MARK")) == scene.url("out.ipynb")
