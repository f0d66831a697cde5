"""Profiles: kept as files that people edit, change and break."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairing_az_jupyter.exceptions import ProfileError
from fairing_az_jupyter.settings import InvalidSettingsError, Settings, check_values, declarations
from fairing_az_jupyter.settings.profiles import ProfileStore, default_folder

AKS = {
    "backend": "KubeflowAzureBackend",
    "docker_registry": "contosoml.azurecr.io",
    "azure_region": None,
    "azure_resource_group": "contoso-ml",
    "azure_storage_account": "contosomldata",
}
PASTED_KEY = "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=hunter2hunter2=="


@pytest.fixture
def store(tmp_path):
    return ProfileStore(tmp_path / "settings")


def put(store, name, raw):
    file = store.folder / "profiles" / f"{name}.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    return file


def files(store):
    return {path.relative_to(store.folder): path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}


def test_a_store_without_a_folder_is_empty_and_makes_none(store):
    assert store.list() == ()
    assert store.active({}) is None
    assert store.active_values({}) == {}
    assert not store.folder.exists()


def test_what_was_saved_is_read_back(store):
    store.save("aks", AKS)
    assert store.read("aks") == AKS
    assert store.list() == ("aks",)
    assert ProfileStore(store.folder).read("aks") == AKS


def test_a_profile_is_toml_that_people_can_read(store):
    store.save("aks", {"docker_registry": "ContosoML.azurecr.io", "azure_region": None})
    assert store.path("aks").read_text() == 'docker_registry = "contosoml.azurecr.io"\nazure_region = ""\n'


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_values_that_are_settings_come_back_the_same(tmp_path, data):
    store = ProfileStore(tmp_path)
    values = {}
    for field, declared in declarations().items():
        choices = declared.get("enum") or [*declared["examples"], declared["default"]]
        values[field] = data.draw(st.sampled_from(choices))
    values["azure_resource_group"] = data.draw(st.from_regex(r"[\w().-]{0,80}[\w()]", fullmatch=True))
    try:
        checked = check_values(values)
    except InvalidSettingsError:
        return
    store.save("p", values)
    assert store.read("p") == checked
    before = files(store)
    store.save("p", values)
    store.set_values("p", values)
    assert files(store) == before


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_as_a_profile_are_read_or_refused_and_left_alone(tmp_path, raw):
    store = ProfileStore(tmp_path)
    file = put(store, "p", raw)
    for act in (lambda: store.read("p"), lambda: store.set_values("p", {})):
        with contextlib.suppress(ProfileError):
            act()
            continue
        with pytest.raises(ProfileError) as raised:
            act()
        assert str(file) in raised.value.message
        assert raised.value.hint
    assert file.read_bytes() == raw


def test_changing_one_value_keeps_every_other_byte(store):
    before = (
        "# team A, asked of Ann\n\ndocker_registry = 'oldname.azurecr.io'   # the old one\n"
        '\n  azure_region="North Europe" # as in the contract\n# namespace = "x"\n'
    )
    file = put(store, "aks", before)
    store.set_values("aks", {"docker_registry": "newname.azurecr.io"})
    assert file.read_text() == before.replace("'oldname.azurecr.io'", '"newname.azurecr.io"')


def test_windows_line_ends_and_byte_order_mark_are_read_and_kept(store):
    file = put(store, "aks", b'\xef\xbb\xbf# note\r\nnamespace = "team-a"\r\n')
    assert store.read("aks") == {"namespace": "team-a"}
    store.set_values("aks", {"namespace": "team-b", "azure_region": "northeurope"})
    assert file.read_bytes() == b'\xef\xbb\xbf# note\r\nnamespace = "team-b"\r\nazure_region = "northeurope"\r\n'


def test_the_same_values_again_do_not_touch_the_file(store):
    file = put(store, "aks", "namespace = 'team-a' # x\n")
    before = file.stat()
    store.set_values("aks", {"namespace": "team-a"})
    store.save("aks", {"namespace": "team-a"})
    assert (file.read_text(), file.stat().st_mtime_ns, file.stat().st_ino) == (
        "namespace = 'team-a' # x\n",
        before.st_mtime_ns,
        before.st_ino,
    )


def test_saving_replaces_the_values_and_keeps_the_comments(store):
    file = put(store, "aks", '# team A\nnamespace = "team-a"\nbuilder = "kaniko" # slow\n')
    store.save("aks", {"builder": "layered"})
    assert file.read_text() == '# team A\nbuilder = "layered" # slow\n'


def test_values_can_be_taken_out_again(store):
    store.save("aks", AKS | {"builder": "kaniko"})
    store.set_values("aks", {"builder": None, "docker_registry": None})
    store.unset_values("aks", ["azure_region", "AZURE_RESOURCE_GROUP", "namespace"])
    assert store.read("aks") == {
        "backend": "KubeflowAzureBackend",
        "docker_registry": None,
        "azure_storage_account": "contosomldata",
    }


def test_a_broken_value_is_not_saved_and_the_old_profile_stays(store):
    store.save("aks", AKS)
    before = files(store)
    for act in (store.save, store.set_values):
        with pytest.raises(InvalidSettingsError, match="DOCKER_REGISTRY"):
            act("aks", {"docker_registry": "<acr-name>.azurecr.io", "namespace": "ok"})
    assert files(store) == before


@pytest.mark.parametrize("values", [{"docker_registry": PASTED_KEY}, {"AZ_CLIENT_SECRET": "hunter2hunter2"}])
def test_a_secret_is_neither_saved_nor_shown(store, values):
    store.save("aks", AKS)
    for act in (store.save, store.set_values):
        with pytest.raises(InvalidSettingsError) as raised:
            act("aks", values)
        assert "hunter2" not in str(raised.value)
    assert b"hunter2" not in b"".join(files(store).values())


@pytest.mark.parametrize(
    "text",
    [f'docker_registry = "{PASTED_KEY}"\n', 'AZ_CLIENT_SECRET = "hunter2hunter2"\n', 'password = "hunter2hunter2\n'],
)
def test_a_secret_in_a_file_is_refused_and_not_shown(store, text):
    put(store, "aks", text)
    with pytest.raises(ProfileError) as raised:
        store.read("aks")
    assert "hunter2" not in str(raised.value)
    assert raised.value.__context__ is None
    assert raised.value.hint


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("namespace = \n", 1),
        ('namespace = "team-a"\nbuilder = layered\n', 2),
        ('namespace = "a"\n\nnamespace = "b"\n', 3),
        ("# x\nthis is no toml\n", 2),
    ],
)
def test_a_file_that_is_no_toml_is_refused_with_file_and_line(store, text, line):
    file = put(store, "aks", text)
    with pytest.raises(ProfileError) as raised:
        store.read("aks")
    assert str(file) in raised.value.message
    assert f"line {line}" in raised.value.message
    assert "in quotes" in raised.value.hint


def test_a_file_in_another_encoding_is_refused_with_the_cure(store):
    put(store, "aks", 'azure_resource_group = "grüppe"\n'.encode("latin-1"))
    with pytest.raises(ProfileError, match=r"line 1.*UTF-8"):
        store.read("aks")
    put(store, "aks", 'namespace = "a"\n'.encode("utf-16"))
    with pytest.raises(ProfileError, match="UTF-8"):
        store.read("aks")


def test_a_broken_value_in_a_file_is_told_with_line_and_mended_value(store):
    file = put(store, "aks", '# x\ndocker_registry = "https://contosoml.azurecr.io/"\nservice_tpye = "ClusterIP"\n')
    with pytest.raises(ProfileError) as raised:
        store.read("aks")
    assert str(file) in raised.value.message
    assert "Line 2: DOCKER_REGISTRY (docker_registry)" in raised.value.message
    assert "Line 3: 'service_tpye' is not a setting." in raised.value.message
    assert "Write docker_registry = 'contosoml.azurecr.io'." in raised.value.hint
    assert "Did you mean 'service_type'?" in raised.value.hint


def test_a_broken_file_can_be_mended_value_by_value(store):
    put(store, "aks", 'namespace = "A_B"\nbuilder = "docker"\n')
    store.set_values("aks", {"namespace": "a-b"})
    store.set_values("aks", {"builder": "kaniko"})
    assert store.read("aks") == {"namespace": "a-b", "builder": "kaniko"}


def test_tables_and_other_types_in_a_file_are_refused(store):
    put(store, "aks", 'namespace = 5\nazure_region = 2026-01-01\n[builder]\nname = "kaniko"\n')
    with pytest.raises(ProfileError) as raised:
        store.read("aks")
    assert "Line 1" in raised.value.message
    assert "Line 2" in raised.value.message
    assert "Line 3" in raised.value.message


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "a\\b", "/etc/passwd", "a b", "-rf", ".hidden", "a\x00b", "a\n", "ü", "x" * 65, "~"],
)
def test_names_that_could_lead_elsewhere_are_no_names(store, name):
    store.save("aks", AKS)
    before = files(store)
    for act in (
        lambda: store.read(name),
        lambda: store.save(name, AKS),
        lambda: store.set_values(name, {}),
        lambda: store.remove(name),
        lambda: store.activate(name),
        lambda: store.rename("aks", name),
        lambda: store.rename(name, "b"),
    ):
        with pytest.raises(ProfileError, match="can't be a profile's name"):
            act()
    assert files(store) == before


@pytest.mark.parametrize("name", ["a", "team-a", "Team_A.v2", "x" * 64, "0", "_x", "a..b", "a.toml"])
def test_ordinary_names_are_names(store, name):
    store.save(name, AKS)
    assert store.list() == (name,)
    assert store.read(name) == AKS


def test_a_missing_profile_is_told_with_those_that_are_there(store):
    store.save("team-a", AKS)
    for act in (store.read, store.remove, store.activate, lambda name: store.set_values(name, {})):
        with pytest.raises(ProfileError) as raised:
            act("tema-a")
        assert "'tema-a' not found" in raised.value.message
        assert "Did you mean 'team-a'?" in raised.value.hint
        assert raised.value.code == "profile-missing"


def test_two_names_do_not_differ_in_case_only(store):
    store.save("aks", AKS)
    with pytest.raises(ProfileError, match="upper and lower case"):
        store.save("AKS", {})
    with pytest.raises(ProfileError, match="not found"):
        store.read("AKS")
    store.rename("aks", "AKS")
    assert store.list() == ("AKS",)


def test_the_active_profile_is_remembered_until_it_is_changed(store):
    store.save("a", {"namespace": "a"})
    store.save("b", {"namespace": "b"})
    store.activate("a")
    assert ProfileStore(store.folder).active({}) == "a"
    store.activate("b")
    assert (store.active({}), store.active_values({})) == ("b", {"namespace": "b"})
    store.activate(None)
    store.activate(None)
    assert store.active({}) is None


def test_the_environment_picks_a_profile_over_the_active_one(store):
    store.save("a", {"namespace": "a"})
    store.save("b", {"namespace": "b"})
    store.activate("a")
    assert store.active({"FAIRING_AZURE_PROFILE": "b"}) == "b"
    assert store.active_values({"FAIRING_AZURE_PROFILE": "b"}) == {"namespace": "b"}
    assert store.active({"FAIRING_AZURE_PROFILE": ""}) == "a"


def test_a_chosen_profile_that_is_gone_is_told_with_who_chose_it(store):
    store.save("a", {})
    with pytest.raises(ProfileError, match="FAIRING_AZURE_PROFILE"):
        store.active_values({"FAIRING_AZURE_PROFILE": "gone"})
    store.activate("a")
    store.path("a").unlink()
    with pytest.raises(ProfileError, match="active-profile"):
        store.active_values({})


@pytest.mark.parametrize(("raw", "name"), [(b"a\r\n", "a"), (b"\xef\xbb\xbfa", "a"), (b"", None), (b"\n", None)])
def test_the_active_file_may_come_from_any_editor(store, raw, name):
    store.save("a", {})
    (store.folder / "active-profile").write_bytes(raw)
    assert store.active({}) == name


def test_an_active_file_that_holds_no_name_is_refused(store):
    store.save("a", {})
    (store.folder / "active-profile").write_text("../../etc/passwd\n")
    with pytest.raises(ProfileError, match="does not contain a profile name"):
        store.active({})
    store.activate("a")
    assert store.active({}) == "a"


def test_removing_the_active_profile_leaves_none_active(store):
    store.save("a", {})
    store.save("b", {})
    store.activate("a")
    store.remove("a")
    assert (store.list(), store.active({})) == (("b",), None)


def test_a_renamed_profile_stays_active_and_keeps_its_bytes(store):
    file = put(store, "a", b"# note\r\n")
    store.activate("a")
    store.rename("a", "b")
    assert (store.list(), store.active({})) == (("b",), "b")
    assert file.with_name("b.toml").read_bytes() == b"# note\r\n"


def test_renaming_never_writes_over_another_profile(store):
    store.save("a", {"namespace": "a"})
    store.save("b", {"namespace": "b"})
    with pytest.raises(ProfileError, match="already"):
        store.rename("a", "b")
    assert store.read("b") == {"namespace": "b"}


def test_only_profiles_are_listed(store):
    store.save("b", {})
    store.save("a", {})
    folder = store.folder / "profiles"
    for name in ("a.toml~", ".a.toml.swp", "#a.toml#", "notes.txt", "-x.toml", "c d.toml"):
        (folder / name).write_text("")
    (folder / "folder.toml").mkdir()
    assert store.list() == ("a", "b")


def test_a_read_only_profile_is_not_written_over(store):
    store.save("aks", AKS)
    store.path("aks").chmod(0o444)
    with pytest.raises(ProfileError, match="read-only"):
        store.set_values("aks", {"namespace": "x"})
    assert store.read("aks") == AKS


def test_the_mode_of_a_file_stays_and_a_new_one_is_the_users_own(store):
    store.save("aks", AKS)
    assert stat.S_IMODE(store.path("aks").stat().st_mode) == 0o600
    store.path("aks").chmod(0o640)
    store.set_values("aks", {"namespace": "x"})
    assert stat.S_IMODE(store.path("aks").stat().st_mode) == 0o640


def test_a_linked_profile_stays_a_link(store, tmp_path):
    target = tmp_path / "dotfiles.toml"
    target.write_text('namespace = "a"\n')
    (store.folder / "profiles").mkdir(parents=True)
    store.path("aks").symlink_to(target)
    store.set_values("aks", {"namespace": "b"})
    assert store.path("aks").is_symlink()
    assert target.read_text() == 'namespace = "b"\n'


def test_a_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(ProfileError) as raised:
        ProfileStore(tmp_path / "x").save("a", {})
    assert str(tmp_path / "x") in raised.value.message
    assert "FAIRING_AZURE_CONFIG_DIR" in raised.value.hint


def test_a_write_that_fails_leaves_the_old_file_and_no_other(store, monkeypatch):
    store.save("aks", AKS)
    before = files(store)

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ProfileError, match="No space left"):
        store.set_values("aks", {"namespace": "x"})
    assert files(store) == before


WRITER = """
import sys
from fairing_az_jupyter.settings.profiles import ProfileStore
store = ProfileStore(sys.argv[1])
for number in range(15):
    store.set_values("shared", {sys.argv[2]: f"n{number}"})
    store.save("p-" + sys.argv[2].replace("_", "-"), {sys.argv[2]: f"n{number}"})
"""


def test_two_processes_lose_none_of_each_others_changes(store):
    store.save("shared", {"builder": "kaniko"})
    fields = ("namespace", "service_account")
    running = [subprocess.Popen([sys.executable, "-c", WRITER, str(store.folder), field]) for field in fields]
    while any(process.poll() is None for process in running):
        assert store.read("shared")["builder"] == "kaniko"
    assert [process.wait(60) for process in running] == [0, 0]
    assert store.read("shared") == {"builder": "kaniko", "namespace": "n14", "service_account": "n14"}
    assert not list(store.folder.rglob("*.tmp"))


def test_threads_of_one_process_lose_none_of_each_others_changes(store):
    store.save("shared", {})
    fields = ["namespace", "service_account", "azure_secret_name", "registry_secret_name"]
    threads = [threading.Thread(target=store.set_values, args=("shared", {field: "same"})) for field in fields]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert store.read("shared") == dict.fromkeys(fields, "same")


HOLDER = """
import sys, time
from pathlib import Path
from fairing_az_jupyter.settings import profile_files
with profile_files.alone(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_process_that_was_killed_with_the_lock_blocks_nobody(store):
    store.save("aks", {})
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(store.folder)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline().strip() == b"held"
        holder.kill()
    store.set_values("aks", {"namespace": "a"})
    assert store.read("aks") == {"namespace": "a"}


def test_a_lock_that_is_kept_is_told_after_a_while(store, monkeypatch):
    monkeypatch.setattr("fairing_az_jupyter.files.LOCK_SECONDS", 0.2)
    store.save("aks", {})
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(store.folder)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(ProfileError, match="nothing was changed"):
            store.set_values("aks", {"namespace": "a"})
        assert store.read("aks") == {}
        holder.kill()


def test_the_folder_is_the_one_that_the_environment_names(tmp_path, monkeypatch):
    assert default_folder({"FAIRING_AZURE_CONFIG_DIR": str(tmp_path / "x")}) == tmp_path / "x"
    monkeypatch.chdir(tmp_path)
    assert default_folder({"FAIRING_AZURE_CONFIG_DIR": "here"}) == tmp_path / "here"
    monkeypatch.setenv("FAIRING_AZURE_CONFIG_DIR", str(tmp_path))
    ProfileStore().save("aks", {})
    assert (tmp_path / "profiles" / "aks.toml").is_file()


def test_without_it_the_folder_is_under_jupyters(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    assert default_folder({}) == tmp_path / "fairing-az-jupyter"


def test_a_profile_for_a_model_with_one_more_setting_has_it(tmp_path):
    class OneMore(Settings):
        workers: int = 2

    store = ProfileStore(tmp_path, model=OneMore)
    store.save("a", {"workers": 5})
    assert store.read("a") == {"workers": 5}
