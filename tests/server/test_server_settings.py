"""Settings, profiles and notebooks, as the side panel asks for them."""

from __future__ import annotations

import hashlib
import json

import nbformat
import pytest

from fairing_az_jupyter.settings import Settings


@pytest.fixture(autouse=True)
def no_profiles(server):
    for profile in server.ask("GET", "profiles").json()["profiles"]:
        server.ask("DELETE", f"profiles/{profile['name']}")


def test_the_schema_has_every_setting(server):
    schema = server.ask("GET", "settings/schema").json()["schema"]
    assert schema["properties"].keys() == Settings.model_fields.keys()


def test_resolve_tells_value_source_and_what_is_wrong_all_at_once(server):
    server.ask("PUT", "profiles/aks", {"values": {"azure_resource_group": "rg-a", "backend": "KubeflowAzureBackend"}})
    body = {
        "profile": "aks",
        "values": {"docker_registry": "contoso.azurecr.io/", "cpus": "2", "azure_region": "no/where"},
    }
    answer = server.ask("POST", "settings/resolve", body)
    assert answer.status_code == 200
    found = answer.json()
    fields = {each["field"]: each for each in found["fields"]}
    assert fields["azure_resource_group"]["source"] == "profile"
    assert fields["azure_resource_group"]["detail"] == "aks"
    assert found["values"]["backend"] == "KubeflowAzureBackend"
    wrong = {each["field"]: each for each in found["errors"]}
    assert "cpus" in wrong
    assert "azure_region" in wrong
    assert all(each["message"] for each in found["errors"])
    assert "azure_storage_account" in found["missing"]


def test_false_and_zero_are_values_and_win_over_a_profile(server):
    server.ask("PUT", "profiles/gpus", {"values": {"spot": True, "gpus": 2, "pod_token": True, "retries": 3}})
    body = {"profile": "gpus", "values": {"spot": False, "gpus": 0}}

    found = server.ask("POST", "settings/resolve", body).json()

    wanted = {"spot": False, "gpus": 0, "pod_token": True, "retries": 3}
    assert {field: found["values"][field] for field in wanted} == wanted
    sources = {each["field"]: each["source"] for each in found["fields"]}
    assert sources["spot"] == sources["gpus"] == "argument"
    assert sources["pod_token"] == sources["retries"] == "profile"
    kept = server.ask("PUT", "profiles/gpus", {"values": {"spot": False, "gpus": 0}}).json()["values"]
    assert kept == {"spot": False, "gpus": 0, "pod_token": True, "retries": 3}


def test_resolve_goes_by_the_editors_text_and_not_by_the_file(server):
    path = server.write_notebook("edited.ipynb", parameters="AZURE_RESOURCE_GROUP = 'on-disk'")
    content = path.read_text().replace("on-disk", "in-editor")
    for notebook, value in (({"path": path.name, "content": content}, "in-editor"), ({"path": path.name}, "on-disk")):
        found = server.ask("POST", "settings/resolve", {"notebook": notebook}).json()
        assert found["values"]["azure_resource_group"] == value


def test_a_profile_is_made_changed_chosen_and_deleted(server):
    made = server.ask("PUT", "profiles/team-a", {"values": {"docker_registry": "contosoml.azurecr.io", "cpu": "2"}})
    assert made.json() == {"name": "team-a", "values": {"docker_registry": "contosoml.azurecr.io", "cpu": "2"}}
    changed = server.ask("PUT", "profiles/team-a", {"values": {"cpu": None, "memory": "4Gi"}})
    assert changed.json()["values"] == {"docker_registry": "contosoml.azurecr.io", "memory": "4Gi"}
    assert server.ask("PUT", "active-profile", {"name": "team-a"}).json() == {"active": "team-a"}
    assert server.ask("GET", "profiles").json()["active"] == "team-a"
    gone = server.ask("DELETE", "profiles/team-a")
    assert (gone.status_code, gone.content) == (204, b"")
    assert server.ask("GET", "profiles").json() == {"active": None, "profiles": []}
    assert server.ask("DELETE", "profiles/team-a").status_code == 404
    assert server.ask("PUT", "active-profile", {"name": "team-a"}).status_code == 404


def test_a_wrong_value_leaves_the_profile_as_it_was(server):
    server.ask("PUT", "profiles/p", {"values": {"cpu": "2"}})
    answer = server.ask("PUT", "profiles/p", {"values": {"cpu": "3", "docker_registry": "nothing", "memory": None}})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "docker_registry"
    assert server.ask("GET", "profiles").json()["profiles"] == [{"name": "p", "values": {"cpu": "2"}, "problem": None}]


def test_a_broken_profile_is_in_the_list_with_its_problem(server):
    server.ask("PUT", "profiles/good", {"values": {}})
    (server.home / "settings" / "profiles" / "bad.toml").write_text("cpu = = 2\n")
    profiles = {each["name"]: each for each in server.ask("GET", "profiles").json()["profiles"]}
    assert profiles["good"]["problem"] is None
    assert "bad" in profiles["bad"]["problem"]


@pytest.mark.parametrize("name", ["..", "%2e%2e", "a%2Fb", "a%00b", ".hidden", "a" * 65, "%ff", "a b"])
def test_a_name_that_is_none_is_refused(server, name):
    answer = server.ask("PUT", f"profiles/{name}", {"values": {}})
    assert answer.status_code in {400, 404, 405, 422}
    assert not list((server.home / "settings" / "profiles").glob("*.toml"))


def test_the_parameters_of_a_notebook_are_listed(server):
    path = server.write_notebook("params.ipynb", parameters="rate: float = 0.1  # how fast\nname = 'x'")
    found = server.ask("POST", "notebook/parameters", {"path": f"RTC:{path.name}"}).json()
    assert found["has_cell"]
    assert found["parameters"][0] == {
        "name": "rate", "default": "0.1", "type": "float", "help": "how fast", "is_setting": False,
    }  # fmt: skip
    empty = json.dumps(nbformat.v4.new_notebook())
    assert server.ask("POST", "notebook/parameters", {"path": "new.ipynb", "content": empty}).json() == {
        "parameters": [],
        "has_cell": False,
    }


def test_a_fill_plan_is_of_the_editors_text_and_writes_nothing(server):
    path = server.write_notebook("fill.ipynb", parameters="DOCKER_REGISTRY = None")
    before = path.read_bytes()
    content = before.decode().replace("\n", "\r\n").replace("None", "'é'")
    body = {"notebook": {"path": "fill.ipynb", "content": content}, "values": {"docker_registry": "a12345.azurecr.io"}}
    answer = server.ask("POST", "notebook/fill-plan", body)
    assert answer.status_code == 200, answer.text
    plan = answer.json()
    assert plan["changed"]
    assert plan["before_digest"] == hashlib.sha256(content.encode()).hexdigest()
    assert "DOCKER_REGISTRY = 'a12345.azurecr.io'" in plan["edits"][0]["after"]
    assert path.read_bytes() == before


def test_a_broken_notebook_is_named_as_the_user_knows_it(server):
    for body in ({"path": "broken.ipynb", "content": "{"}, {"path": "broken.ipynb", "content": '{"cells": 1}'}):
        answer = server.ask("POST", "notebook/parameters", body)
        assert answer.status_code == 400
        assert "broken.ipynb" in answer.json()["message"]
        assert "fairing-az-" not in answer.text


def test_a_large_notebook_does_not_hold_up_the_server(server):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1\n" * 200) for _ in range(3000)])
    content = json.dumps(notebook)
    answer = server.ask("POST", "notebook/parameters", {"path": "large.ipynb", "content": content})
    assert answer.status_code == 200
