"""The panel's form: fields, errors, sources, profiles, and what would be filled in."""

from __future__ import annotations

import json

from fairing_az_jupyter.settings import Settings

REGISTRY = "Container registry"


def profiles_of(front):
    return json.loads(
        front.printed(
            "import json\nfrom fairing_az_jupyter.settings.profiles import ProfileStore\n"
            "print(json.dumps(ProfileStore().list()))"
        )
    )


def test_every_setting_has_a_labelled_field_with_its_help(front):
    front.open_panel()
    front.click(".*More settings.*")

    text = front.text()
    for declared in Settings.model_json_schema()["properties"].values():
        assert front.is_shown(declared["title"])
        assert declared["description"] in text
    front.choose("Builder", "kaniko")
    assert front.value("Builder") == "kaniko"
    front.type("Runs at once", "several")
    assert "Error: FAIRING_PARALLELISM (parallelism)" in front.text()


def test_a_typed_value_shows_its_error_at_the_field(front):
    front.open_panel()

    front.type(REGISTRY, "CONTOSO")

    lines = front.text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(REGISTRY))
    assert "Error: DOCKER_REGISTRY (docker_registry) = 'CONTOSO' is a registry's name only" in lines[at + 3]
    assert "Settings (1 invalid)" in front.text()
    assert "Correct the errors above" in front.text()

    front.click("Use contoso.azurecr.io")

    assert front.value(REGISTRY) == "contoso.azurecr.io"
    assert "Error" not in front.text()


def test_a_typed_value_wins_over_the_notebooks_variables_until_it_is_discarded(front):
    front.run("DOCKER_REGISTRY = 'contoso.azurecr.io'")
    front.open_panel()
    assert f"{REGISTRY} contoso.azurecr.io\nnotebook's variables" in front.text()

    front.type(REGISTRY, "typed.azurecr.io")
    assert f"{REGISTRY} typed.azurecr.io\nform" in front.text()

    front.click("Reset")
    assert f"{REGISTRY} contoso.azurecr.io\nnotebook's variables" in front.text()
    assert not front.is_shown("Discard")


def test_what_another_cell_sets_appears_in_the_form(front):
    front.open_panel()
    assert f"{REGISTRY}\ndefault" in front.text()

    front.run("DOCKER_REGISTRY = 'contoso.azurecr.io'")
    assert f"{REGISTRY} contoso.azurecr.io\nnotebook's variables" in front.text()

    front.run("DOCKER_REGISTRY = [1]")
    assert "Error: DOCKER_REGISTRY (docker_registry)" in front.text()


def test_what_is_typed_in_one_panel_stands_in_all(front):
    first = front.open_panel()
    second = front.open_panel()

    front.type(REGISTRY, "typed.azurecr.io", root=first)
    front.type("Azure region", "no where!", root=second)

    for root in (first, second):
        assert front.value(REGISTRY, root=root) == "typed.azurecr.io"
        assert "Error: AZURE_REGION (azure_region) = 'no where!'" in front.text(root)
    front.run("panel.close()")
    assert front.text(second) == ""
    front.type("Azure region", "northeurope", root=first)
    assert front.value(REGISTRY, root=front.open_panel()) == "typed.azurecr.io"


def test_a_profile_is_saved_chosen_and_deleted_after_a_question(front):
    front.open_panel()
    front.type(REGISTRY, "typed.azurecr.io")

    front.click("Save as …")
    front.type("Name of the profile", "team-a")
    front.click("Save profile")

    assert "Done: Settings saved as profile team-a." in front.text()
    assert front.value("Profile") == "team-a"
    front.click("Discard")
    assert f"{REGISTRY} typed.azurecr.io\nprofile team-a" in front.text()
    front.choose("Profile", "(no active profile)")
    assert f"{REGISTRY}\ndefault" in front.text()

    front.choose("Profile", "team-a")
    front.click("Make active")
    assert front.value("Profile") == "team-a (active)"
    front.click("Delete …")
    assert "The profile team-a will be deleted for all notebooks." in front.text()
    front.click("Cancel")
    assert profiles_of(front) == ["team-a"]
    front.click("Delete …")
    front.click("Delete")

    assert front.value("Profile") == "(no active profile)"
    assert profiles_of(front) == []


def test_a_profile_with_a_wrong_value_is_rejected_in_one_line(front):
    front.open_panel()
    front.type(REGISTRY, "https://x")

    front.click("Save as …")
    front.type("Name of the profile", "../bad")
    front.click("Save profile")

    assert "'../bad' can't be a profile's name. Use 1 to 64 letters" in front.text()
    front.type("Name of the profile", "good")
    front.click("Save profile")
    assert front.text().count("DOCKER_REGISTRY (docker_registry)") > 1
    assert profiles_of(front) == []


def test_fill_offers_the_parameters_cell_to_be_copied_where_no_side_panel_is(front):
    front.run("FAIRING_BACKEND = 'LocalBackend'  # ours\nDOCKER_REGISTRY = 'contoso.azurecr.io'")
    front.open_panel()

    front.type(REGISTRY, "typed.azurecr.io")

    assert "-DOCKER_REGISTRY = 'contoso.azurecr.io'" in front.text()
    assert "+DOCKER_REGISTRY = 'typed.azurecr.io'" in front.text()
    front.click("Fill")
    assert "Replace the parameters cell with this one, and run it." in front.text()
    assert "FAIRING_BACKEND = 'LocalBackend' # ours DOCKER_REGISTRY = 'typed.azurecr.io'" in front.text()
    front.type(REGISTRY, "other.azurecr.io")
    assert "Replace the parameters cell" not in front.text()
