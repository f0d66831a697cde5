"""What a launch works with, opened on the real servers from the set-up that the checks find green."""

from __future__ import annotations

import os
import threading

import pytest

from fairing_az_jupyter.clients.oci.images import ImageReference
from fairing_az_jupyter.exceptions import NotAllowedError, NotFoundError, SettingsError
from fairing_az_jupyter.fairing.cluster.connections import Launcher, settings_for
from fairing_az_jupyter.settings import Settings, from_notebook

KEY_ROLE = "Storage Account Contributor"


@pytest.fixture
def open_launcher(stand, namespace):
    opened = []

    def make(settings=None, environ=None, **options):
        setup = stand.correct_setup(namespace, **options)
        chosen = Settings(**{**from_notebook(setup.settings), "namespace": namespace, **(settings or {})})
        around = {**os.environ, **setup.environment, **(environ or {})}
        launcher = Launcher(chosen, environ=around, service_account_folder=setup.service_account)
        opened.append(launcher)
        return launcher, setup

    yield make
    for launcher in opened:
        launcher.close()


def archive(tmp_path):
    path = tmp_path / "context.tar.gz"
    path.write_bytes(b"a context")
    return path


@pytest.mark.parametrize("data_role", [False, True])
def test_contexts_are_kept_with_the_documented_role_and_with_a_data_role(open_launcher, tmp_path, data_role):
    launcher, _ = open_launcher(data_role=data_role)

    assert launcher.contexts.keep(archive(tmp_path), "0" * 64).sent
    assert not launcher.contexts.keep(archive(tmp_path), "0" * 64).sent


def test_without_any_role_the_refusal_says_what_is_missing(open_launcher, stand):
    launcher, setup = open_launcher()
    stand.arm.revoke(setup.oid, KEY_ROLE)

    with pytest.raises(NotAllowedError) as refused:
        _ = launcher.contexts

    assert f"--assignee {setup.client}" in refused.value.hint


def test_a_storage_account_is_made_where_a_region_says_so(open_launcher, stand, tmp_path):
    name = stand.blob.take()
    launcher, setup = open_launcher({"azure_storage_account": name, "azure_region": "northeurope"})
    stand.names.add(f"{name}.blob.core.windows.net", stand.blob_front.port)

    assert launcher.contexts.keep(archive(tmp_path), "1" * 64).sent
    made = stand.arm.find("Microsoft.Storage/storageAccounts", name)
    assert made["properties"]["supportsHttpsTrafficOnly"] is True
    assert made["id"].startswith(setup.group)


def test_the_registry_takes_the_login_of_the_registry_secret(open_launcher):
    launcher, setup = open_launcher()

    assert launcher.registry(setup.login_server).check_push("fairing-job").push
    assert launcher.registry(f"https://{setup.login_server}/") is launcher.registry(setup.login_server)


def test_another_registry_is_read_without_a_login(open_launcher):
    launcher, _ = open_launcher()

    assert "username=None" in repr(launcher.registry("docker.io"))


def test_without_the_registry_secret_nothing_can_be_pushed_and_it_is_said(open_launcher):
    launcher, setup = open_launcher(prepared=False)

    with pytest.raises(NotFoundError, match="acrcreds"):
        launcher.images(setup.login_server).resolve(ImageReference.parse(f"{setup.login_server}/x:1"))


@pytest.mark.parametrize(
    ("environ", "owner"), [({"NB_PREFIX": "/notebook/team-a/my-server"}, "my-server"), ({"NB_PREFIX": ""}, None)]
)
def test_pods_run_in_the_name_of_the_notebook_server(open_launcher, environ, owner):
    launcher, setup = open_launcher(environ=environ)

    assert launcher.target.namespace == setup.namespace
    assert (launcher.target.service_account, launcher.target.pull_secret) == ("default-editor", "acrcreds")
    assert owner in {None, launcher.target.owner}
    assert launcher.in_cluster


def test_settings_that_are_missing_are_named_before_anything_is_asked(open_launcher):
    with pytest.raises(SettingsError, match="AZURE_STORAGE_ACCOUNT"):
        open_launcher({"azure_storage_account": None})


def test_a_notebooks_own_words_win_over_the_environment(monkeypatch):
    monkeypatch.setenv("DOCKER_REGISTRY", "contosoml.azurecr.io")
    monkeypatch.setenv("FAIRING_CPU", "3")

    found = settings_for({"docker_registry": "othersml.azurecr.io"})

    assert (found.backend, found.docker_registry, found.cpu) == ("KubeflowAzureBackend", "othersml.azurecr.io", "3")


def test_many_threads_open_it_at_once_and_none_waits_for_ever(open_launcher):
    launcher, setup = open_launcher(data_role=True)
    found = []

    def use(number):
        found.append(launcher.contexts if number % 2 else launcher.credential.client_id)

    threads = [threading.Thread(target=use, args=(number,), daemon=True) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(found) == 8
    assert found.count(setup.client) == 4


def test_a_launch_and_its_notebook_ask_with_the_same_credential(open_launcher):
    launcher, _ = open_launcher(data_role=True)

    assert launcher.credential is launcher.azure.credential


def test_no_secret_is_in_its_repr(open_launcher):
    launcher, setup = open_launcher()
    _ = launcher.contexts, launcher.registry(setup.login_server)

    assert [mark for mark in setup.marks if mark in repr(launcher) + repr(vars(launcher))] == []
