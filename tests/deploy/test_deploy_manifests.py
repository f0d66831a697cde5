"""What stands below deploy/ is what a Kubeflow cluster takes, and what the package reads."""

from __future__ import annotations

import copy
import re

import pytest

from fairing_az_jupyter.clients.azure.credentials import choose_credential
from fairing_az_jupyter.clients.azure.service_principal import SECRET_KEYS
from fairing_az_jupyter.exceptions import CredentialError
from fairing_az_jupyter.settings import Settings
from tests.conftest import REPOSITORY
from tests.stand import kubeflow

AZCREDS, IDENTITY, NOTEBOOK = "poddefault-azcreds.yaml", "poddefault-workload-identity.yaml", "notebook.yaml"
STORED = {
    "AZ_CLIENT_ID": "11111111-2222-3333-4444-555555555555",
    "AZ_CLIENT_SECRET": "made-up~secret~of~a~test~0123456789abcdef",
    "AZ_TENANT_ID": "66666666-7777-8888-9999-000000000000",
    "AZ_SUBSCRIPTION_ID": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
}
PLACES = {
    "Notebook": "/apis/kubeflow.org/v1/namespaces/{}/notebooks",
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims",
    "PodDefault": "/apis/kubeflow.org/v1alpha1/namespaces/{}/poddefaults",
}


@pytest.fixture
def create(kubernetes, namespace):
    """Return what creates an object in a profile's namespace, with each field checked, and returns the answer."""
    admin = kubernetes.control_plane.admin
    kubernetes.control_plane.profile(namespace)
    kubeflow.serve(admin)

    def post(document, *, place=None, **query):
        path = (place or PLACES[document["kind"]]).format(namespace)
        return admin.call("POST", path, document, query={"fieldValidation": "Strict", **query})

    return post


def notebook(manifests):
    return copy.deepcopy(next(found for found in manifests[NOTEBOOK] if found["kind"] == "Notebook"))


def pod_default(manifests, file):
    return copy.deepcopy(manifests[file][0])


def variables(found, stored):
    """Return the environment that a PodDefault gives to a container where the Secret holds this."""
    environment = {}
    for entry in found["spec"]["env"]:
        if "value" in entry:
            environment[entry["name"]] = entry["value"]
        elif (key := entry["valueFrom"]["secretKeyRef"]["key"]) in stored:
            environment[entry["name"]] = stored[key]
    return environment


def holds(stored, written):
    """Tell whether all that was written is stored: defaults may be added, and nothing is cut away."""
    if isinstance(written, dict):
        return all(name in stored and holds(stored[name], value) for name, value in written.items())
    if isinstance(written, list):
        return len(stored) == len(written) and all(map(holds, stored, written))
    return stored == written


def references(found):
    return [entry["valueFrom"]["secretKeyRef"] for entry in found["spec"]["env"] if "valueFrom" in entry]


def pod_of(notebook, *pod_defaults):
    """Return the pod that Kubeflow's controller and webhook make of a Notebook and the PodDefaults with its labels."""
    labels = notebook["metadata"]["labels"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "fairing-0", "labels": labels}}
    pod["spec"] = copy.deepcopy(notebook["spec"]["template"]["spec"])
    for found in pod_defaults:
        if found["spec"]["selector"]["matchLabels"].items() <= labels.items():
            pod["spec"]["containers"][0].setdefault("env", []).extend(found["spec"]["env"])
    return pod


def test_every_manifest_is_taken_by_the_api_server_as_it_stands(create, manifests):
    documents = [document for found in manifests.values() for document in found]

    answers = [create(document) for document in documents]

    assert {document["kind"] for document in documents} == set(PLACES)
    assert [answer.json().get("message") for answer in answers if answer.status_code != 201] == []
    kept = [holds(answer.json()["spec"], one["spec"]) for one, answer in zip(documents, answers, strict=True)]
    assert kept == [True] * len(documents)


@pytest.mark.parametrize(
    ("file", "place", "wrong", "said"),
    [
        (AZCREDS, ["spec"], {"describtion": "x"}, 'unknown field "spec.describtion"'),
        (AZCREDS, ["spec", "env", 0], {"vlaue": "x"}, 'unknown field "spec.env[0].vlaue"'),
        (AZCREDS, ["spec", "env", 0, "valueFrom", "secretKeyRef"], {"optional": "yes"}, "must be of type boolean"),
        (IDENTITY, ["spec"], {"selector": None}, "spec.selector: Required value"),
        (
            IDENTITY,
            ["spec", "selector"],
            {"matchLabels": {"azure.workload.identity/use": True}},
            "must be of type string",
        ),
        (NOTEBOOK, ["spec", "template"], {"metadata": {}}, 'unknown field "spec.template.metadata"'),
        (
            NOTEBOOK,
            ["spec", "template", "spec"],
            {"serviceAcount": "x"},
            'unknown field "spec.template.spec.serviceAcount"',
        ),
        (NOTEBOOK, ["spec", "template", "spec", "containers", 0], {"name": None}, "containers[0].name: Required value"),
        (
            NOTEBOOK,
            ["spec", "template", "spec", "containers", 0, "volumeMounts", 0],
            {"path": "/"},
            "volumeMounts[0].path",
        ),
        (
            NOTEBOOK,
            ["spec", "template", "spec", "containers", 0, "resources", "limits"],
            {"memory": [4]},
            "must be of type integer,string",
        ),
    ],
)
def test_a_wrong_field_in_a_manifest_is_refused(create, manifests, file, place, wrong, said):
    document = notebook(manifests) if file == NOTEBOOK else pod_default(manifests, file)
    inner = document
    for step in place:
        inner = inner[step]
    inner.update(wrong)

    answer = create(document)

    assert answer.status_code in (400, 422)
    assert said in answer.json()["message"]


@pytest.mark.parametrize("file", [AZCREDS, IDENTITY])
def test_the_notebooks_pod_is_a_valid_one_with_each_pod_default(create, manifests, file):
    found = pod_default(manifests, file)
    server = notebook(manifests)
    server["metadata"]["labels"] = found["spec"]["selector"]["matchLabels"]
    server["spec"]["template"]["spec"]["containers"][0]["image"] = "myregistry.azurecr.io/fairing-notebook:0.1.0"
    pod = pod_of(server, found)

    answer = create(pod, place="/api/v1/namespaces/{}/pods", dryRun="All")

    assert answer.status_code == 201, answer.json()["message"]
    given = [entry["name"] for entry in answer.json()["spec"]["containers"][0]["env"]]
    assert given == sorted(set(given), key=given.index)
    assert set(variables(found, STORED)) == set(given)


def test_no_manifest_names_a_namespace(manifests):
    named = [
        (file, one["kind"]) for file, found in manifests.items() for one in found if "namespace" in one["metadata"]
    ]

    assert named == []


def test_the_pod_default_reads_the_secret_and_the_keys_that_the_package_knows(manifests):
    found = references(pod_default(manifests, AZCREDS))

    assert {reference["name"] for reference in found} == {Settings.model_fields["azure_secret_name"].default}
    assert {reference["key"] for reference in found} == set(SECRET_KEYS) == set(STORED)


def test_a_notebook_server_starts_before_there_is_a_secret(manifests):
    assert all(reference["optional"] is True for reference in references(pod_default(manifests, AZCREDS)))


def test_the_variables_of_azcreds_are_a_credential_of_the_package(manifests):
    environment = variables(pod_default(manifests, AZCREDS), STORED)

    chosen = choose_credential("auto", environ=environment)

    assert (chosen.source, chosen.client_id) == ("environment", STORED["AZ_CLIENT_ID"])
    assert (chosen.tenant_id, chosen.subscription_id) == (STORED["AZ_TENANT_ID"], STORED["AZ_SUBSCRIPTION_ID"])


@pytest.mark.parametrize("name", ["AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID"])
def test_the_package_reads_each_variable_of_azcreds(manifests, name):
    environment = variables(pod_default(manifests, AZCREDS), STORED)
    assert len(environment) == 4
    environment.pop(name)

    if name == "AZURE_SUBSCRIPTION_ID":
        assert choose_credential("environment", environ=environment).subscription_id is None
    else:
        with pytest.raises(CredentialError, match=name):
            choose_credential("environment", environ=environment)


def test_workload_identity_wins_over_a_secret_that_is_there_too(manifests, tmp_path):
    from fairing_az_jupyter.settings.sources import resolve

    token = tmp_path / "token"
    token.write_text("a-token")
    # As Azure's webhook adds them to a pod.
    added = {
        "AZURE_CLIENT_ID": STORED["AZ_CLIENT_ID"],
        "AZURE_TENANT_ID": STORED["AZ_TENANT_ID"],
        "AZURE_FEDERATED_TOKEN_FILE": str(token),
    }
    environment = {**added, **variables(pod_default(manifests, IDENTITY), {})}

    settings = resolve(environ=environment).settings

    assert settings.credential == "workload-identity"
    assert choose_credential(settings.credential, environ=environment).source == "workload-identity"


def test_the_label_of_workload_identity_is_the_one_that_the_package_asks_for(manifests):
    with pytest.raises(CredentialError) as caught:
        choose_credential("workload-identity", environ={})

    labels = pod_default(manifests, IDENTITY)["spec"]["selector"]["matchLabels"]
    assert [f"{label}={value}" in caught.value.hint for label, value in labels.items()] == [True]


def test_the_dashboards_form_can_tick_each_pod_default(manifests):
    # It takes the first label of the selector and sets it to "true".
    for file in (AZCREDS, IDENTITY):
        found = pod_default(manifests, file)["spec"]
        assert list(found["selector"]) == ["matchLabels"]
        assert list(found["selector"]["matchLabels"].values()) == ["true"]
        assert found["desc"]


def test_the_notebook_chooses_one_pod_default_that_is_there(manifests):
    labels = notebook(manifests)["metadata"]["labels"]
    chosen = [
        file
        for file in (AZCREDS, IDENTITY)
        if pod_default(manifests, file)["spec"]["selector"]["matchLabels"].items() <= labels.items()
    ]

    assert chosen == [AZCREDS]


def test_the_notebook_stays_in_the_mesh_and_runs_as_the_packages_account(manifests):
    found = notebook(manifests)
    pod = found["spec"]["template"]["spec"]

    assert "istio" not in str(found)
    assert pod["serviceAccountName"] == Settings.model_fields["service_account"].default
    # Kubeflow's controller goes by the first container, and its dashboard by its name.
    assert [container["name"] for container in pod["containers"]] == [found["metadata"]["name"]]


def test_the_notebooks_home_is_the_claim_of_the_same_file(manifests):
    claim = next(one for one in manifests[NOTEBOOK] if one["kind"] == "PersistentVolumeClaim")
    pod = notebook(manifests)["spec"]["template"]["spec"]

    volume = next(one for one in pod["volumes"] if one["name"] == pod["containers"][0]["volumeMounts"][0]["name"])

    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert pod["containers"][0]["volumeMounts"][0]["mountPath"] == "/home/jovyan"


def test_the_page_names_every_file_and_every_label(manifests):
    page = (REPOSITORY / "deploy" / "README.md").read_text(encoding="utf-8")

    files = {path.name for path in (REPOSITORY / "deploy").iterdir()} - {"README.md"}
    assert {name for name in files if f"| `{name}` |" not in page} == set()
    assert {name for name in re.findall(r"deploy/([\w.-]+)", page) if name not in files} == set()
    for file in (AZCREDS, IDENTITY):
        assert set(pod_default(manifests, file)["spec"]["selector"]["matchLabels"]) <= set(
            re.findall(r"[\w./-]+", page)
        )
