"""The stand's Azure: Azurite, the registry and the doubles act together as the services do."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import ClientAssertionCredential, ClientSecretCredential
from azure.storage.blob import (
    BlobServiceClient,
    ContainerClient,
    ContainerSasPermissions,
    generate_container_sas,
)

ARM = "https://management.azure.com"
VERSION = {"api-version": "2024-01-01"}
EMPTY = b"{}"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def setup(stand, namespace):
    return stand.correct_setup(namespace)


def credential(setup):
    return ClientSecretCredential(setup.tenant, setup.client, setup.secret)


def bearer(setup, audience=f"{ARM}/.default"):
    with credential(setup) as who:
        return {"Authorization": f"Bearer {who.get_token(audience).token}"}


def basic(setup):
    return (setup.client, setup.secret)


def push(setup, auth, repository, login_server=None):
    """Push an empty image; return the status of what was refused first, or of the manifest."""
    base = f"https://{login_server or setup.login_server}/v2/{repository}"
    digest = "sha256:" + hashlib.sha256(EMPTY).hexdigest()
    begun = requests.post(f"{base}/blobs/uploads/", auth=auth, timeout=10)
    if begun.status_code != 202:
        return begun.status_code
    place = f"https://{login_server or setup.login_server}{begun.headers['Location']}&digest={digest}"
    requests.put(place, data=EMPTY, auth=auth, timeout=10).raise_for_status()
    part = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest, "size": len(EMPTY)}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": part, "layers": [part]})
    headers = {"Content-Type": MANIFEST}
    return requests.put(f"{base}/manifests/one", data=manifest, headers=headers, auth=auth, timeout=10).status_code


def test_a_client_secret_gets_a_token_for_the_resource_that_was_asked_for(setup):
    token = bearer(setup)["Authorization"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(token + "=="))
    assert claims["aud"] == ARM
    assert (claims["oid"], claims["tid"], claims["appid"]) == (setup.oid, setup.tenant, setup.client)


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"secret": "wrong"}, "AADSTS7000215"),
        ({"secret": "expired"}, "AADSTS7000222"),
        ({"client": "00000000-0000-0000-0000-00000000000a"}, "AADSTS700016"),
        # MSAL asks for the tenant's description first and keeps Entra's own AADSTS90002 to itself.
        ({"tenant": "00000000-0000-0000-0000-00000000000b"}, "Unable to get authority configuration"),
    ],
)
def test_entra_refuses_with_the_number_that_says_why(stand, setup, change, number):
    stand.entra.register(setup.tenant, setup.client, "expired", expires=time.time() - 60)
    values = {"tenant": setup.tenant, "client": setup.client, "secret": setup.secret, **change}
    who = ClientSecretCredential(values["tenant"], values["client"], values["secret"])
    with who, pytest.raises(ClientAuthenticationError, match=number):
        who.get_token(f"{ARM}/.default")


def test_entra_says_that_it_does_not_know_a_tenant(setup):
    url = "https://login.microsoftonline.com/nobodys/v2.0/.well-known/openid-configuration"
    answer = requests.get(url, timeout=10)
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [90002])


def test_a_service_account_token_is_exchanged_by_workload_identity(stand, setup):
    audience = "api://AzureADTokenExchange"
    assertion = stand.control_plane.token(setup.namespace, "default-editor", audiences=(audience,))
    who = ClientAssertionCredential(setup.tenant, setup.client, lambda: assertion)
    with who, pytest.raises(ClientAuthenticationError, match="AADSTS700213"):
        who.get_token(f"{ARM}/.default")
    subject = f"system:serviceaccount:{setup.namespace}:default-editor"
    issuer = json.loads(base64.urlsafe_b64decode(assertion.split(".")[1] + "=="))["iss"]
    stand.entra.apps[setup.client].federated.add((issuer, subject, audience))
    with ClientAssertionCredential(setup.tenant, setup.client, lambda: assertion) as again:
        assert again.get_token(f"{ARM}/.default").token


def test_blobs_are_written_and_read_by_the_accounts_key(setup):
    url = f"https://{setup.account}.blob.core.windows.net"
    key = setup.account_key
    with BlobServiceClient(url, credential=key) as service, service.create_container("by-key") as container:
        container.upload_blob("probe", b"hello")
        assert container.download_blob("probe").readall() == b"hello"
    wrong = base64.b64encode(b"-" * 64).decode()
    with BlobServiceClient(url, credential=wrong) as service, pytest.raises(HttpResponseError) as refused:
        service.get_service_properties()
    assert (refused.value.status_code, refused.value.error_code) == (403, "AuthenticationFailed")


def test_a_token_reaches_blobs_with_a_data_role_only(stand, setup):
    url = f"https://{setup.account}.blob.core.windows.net"
    with credential(setup) as who, BlobServiceClient(url, credential=who) as service:
        # 'Storage Account Contributor' may make containers; what is in them needs a data role.
        service.create_container("by-token").close()
        with service.get_blob_client("by-token", "probe") as probe:
            with pytest.raises(HttpResponseError) as refused:
                probe.upload_blob(b"hello")
            assert refused.value.status_code == 403
            assert refused.value.error_code == "AuthorizationPermissionMismatch"
            stand.arm.assign(setup.oid, "Storage Blob Data Contributor", setup.account_id)
            probe.upload_blob(b"hello")
        now = datetime.now(timezone.utc)
        key = service.get_user_delegation_key(now - timedelta(minutes=5), now + timedelta(hours=1))
    signature = generate_container_sas(
        setup.account,
        "by-token",
        user_delegation_key=key,
        permission=ContainerSasPermissions(read=True),
        expiry=now + timedelta(minutes=10),
    )
    with ContainerClient(url, "by-token", credential=signature) as container:
        assert container.download_blob("probe").readall() == b"hello"
        with pytest.raises(HttpResponseError, match="AuthorizationPermissionMismatch"):
            container.upload_blob("other", b"x")
        # The SAS can do no more than who made it.
        stand.arm.revoke(setup.oid, "Storage Blob Data Contributor")
        with pytest.raises(HttpResponseError, match="AuthorizationPermissionMismatch"):
            container.download_blob("probe")


def test_the_registry_takes_a_push_and_gives_it_back(setup):
    assert push(setup, basic(setup), "team/ames") == 201
    url = f"https://{setup.login_server}/v2/team/ames/manifests/one"
    challenge = requests.get(url, timeout=10)
    assert challenge.status_code == 401
    realm = f'Bearer realm="https://{setup.login_server}/oauth2/token",service="{setup.login_server}"'
    assert challenge.headers["WWW-Authenticate"] == f'{realm},scope="repository:team/ames:pull"'
    query = {"service": setup.login_server, "scope": "repository:team/ames:pull"}
    token = requests.get(f"https://{setup.login_server}/oauth2/token", query, auth=basic(setup), timeout=10).json()
    headers = {"Authorization": f"Bearer {token['access_token']}", "Accept": MANIFEST}
    assert requests.get(url, headers=headers, timeout=10).json()["mediaType"] == MANIFEST


def test_an_entra_token_is_exchanged_for_the_registrys_own(setup):
    base = f"https://{setup.login_server}/oauth2"
    token = bearer(setup)["Authorization"].removeprefix("Bearer ")
    form = {"grant_type": "access_token", "service": setup.login_server, "tenant": setup.tenant, "access_token": token}
    refresh = requests.post(f"{base}/exchange", form, timeout=10).json()["refresh_token"]
    form = {
        "grant_type": "refresh_token",
        "service": setup.login_server,
        "scope": "repository:team/by-token:pull,push",
        "refresh_token": refresh,
    }
    access = requests.post(f"{base}/token", form, timeout=10).json()["access_token"]
    url = f"https://{setup.login_server}/v2/team/by-token/blobs/uploads/"
    assert requests.post(url, headers={"Authorization": f"Bearer {access}"}, timeout=10).status_code == 202


def test_who_may_only_pull_can_not_push(stand, setup):
    assert push(setup, basic(setup), "team/shared") == 201
    stand.arm.revoke(setup.oid, "AcrPush")
    stand.arm.assign(setup.oid, "AcrPull", setup.registry)
    assert push(setup, basic(setup), "team/shared") == 401
    url = f"https://{setup.login_server}/v2/team/shared/tags/list"
    assert requests.get(url, auth=basic(setup), timeout=10).json()["tags"] == ["one"]


def test_a_wrong_secret_and_a_missing_role_are_401(stand, setup):
    url = f"https://{setup.login_server}/oauth2/token"
    query = {"service": setup.login_server, "scope": "repository:x:pull"}
    assert requests.get(url, query, auth=(setup.client, "wrong"), timeout=10).status_code == 401
    stand.arm.revoke(setup.oid, "AcrPush")
    assert requests.get(url, query, auth=basic(setup), timeout=10).status_code == 401


def test_a_registry_in_abac_mode_ignores_acr_push(stand, setup):
    registry = stand.arm.add_registry(setup.group, "abacstand", abac=True)
    stand.names.add("abacstand.azurecr.io", stand.registry_front.port)
    stand.arm.assign(setup.oid, "AcrPush", registry)
    assert push(setup, basic(setup), "team/abac", "abacstand.azurecr.io") == 401
    stand.arm.assign(setup.oid, "Container Registry Repository Writer", registry)
    assert push(setup, basic(setup), "team/abac", "abacstand.azurecr.io") == 201


@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not here: apt-get install skopeo")
def test_skopeo_pulls_what_was_pushed_with_its_own_sign_in(stand, setup, tmp_path):
    assert push(setup, basic(setup), "team/judged") == 201
    # skopeo is a Go program, which no resolver of ours reaches: it asks by number, under a name that leads there.
    port = stand.registry_front.port
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    (certificates / "ca.crt").write_bytes(stand.authority.bundle.read_bytes())
    stand.registry.also_at(f"127.0.0.1:{port}", setup.login_server)
    command = ["skopeo", "inspect", "--raw", "--cert-dir", str(certificates), "--creds", ":".join(basic(setup))]
    image = f"docker://127.0.0.1:{port}/team/judged:one"
    done = subprocess.run([*command, image], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["mediaType"] == MANIFEST


def test_the_documented_roles_read_the_storage_account_and_not_the_registry(setup):
    headers = bearer(setup)
    account = requests.get(f"{ARM}{setup.account_id}", VERSION, headers=headers, timeout=10)
    assert account.json()["properties"]["supportsHttpsTrafficOnly"] is True
    keys = requests.post(f"{ARM}{setup.account_id}/listKeys", params=VERSION, headers=headers, timeout=10).json()
    assert keys["keys"][0]["value"] == setup.account_key
    # AcrPush allows pulling and pushing, not reading the registry's own description.
    registry = requests.get(f"{ARM}{setup.registry}", VERSION, headers=headers, timeout=10)
    assert (registry.status_code, registry.json()["error"]["code"]) == (403, "AuthorizationFailed")
    # 'Storage Account Contributor' on the group reads who has which role on all that is in it.
    where = f"{ARM}{setup.registry}/providers/Microsoft.Authorization/roleAssignments"
    assert requests.get(where, VERSION, headers=headers, timeout=10).status_code == 200


def test_the_resource_manager_tells_missing_from_forbidden(stand, setup):
    headers = bearer(setup)
    missing = requests.get(f"{ARM}{setup.account_id}x", VERSION, headers=headers, timeout=10)
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "ResourceNotFound")
    group = f"/subscriptions/{setup.subscription}/resourceGroups/nobodys"
    assert requests.get(ARM + group, VERSION, headers=headers, timeout=10).status_code == 403
    stand.arm.assign(setup.oid, "Reader", f"/subscriptions/{setup.subscription}")
    absent = requests.get(ARM + group, VERSION, headers=headers, timeout=10)
    assert (absent.status_code, absent.json()["error"]["code"]) == (404, "ResourceGroupNotFound")
    other = requests.get(f"{ARM}/subscriptions/none/resourceGroups/x", VERSION, headers=headers, timeout=10)
    assert other.json()["error"]["code"] == "SubscriptionNotFound"
    assert requests.get(f"{ARM}{setup.group}", VERSION, timeout=10).status_code == 401
    assert requests.get(f"{ARM}{setup.group}", headers=headers, timeout=10).status_code == 400


def test_a_storage_account_is_created_in_the_background(stand, setup):
    headers, name = bearer(setup), stand.blob.take()
    url = f"{ARM}{setup.group}/providers/Microsoft.Storage/storageAccounts/{name}"
    check = f"{ARM}/subscriptions/{setup.subscription}/providers/Microsoft.Storage/checkNameAvailability"
    asked = {"name": name, "type": "Microsoft.Storage/storageAccounts"}
    assert requests.post(check, json=asked, params=VERSION, headers=headers, timeout=10).json()["nameAvailable"] is True
    body = {"location": "northeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
    begun = requests.put(url, json=body, params=VERSION, headers=headers, timeout=10)
    assert begun.status_code == 202
    assert requests.get(begun.headers["Location"], headers=headers, timeout=10).status_code == 202
    done = requests.get(begun.headers["Location"], headers=headers, timeout=10)
    assert done.json()["name"] == name
    assert requests.put(url, json=body, params=VERSION, headers=headers, timeout=10).status_code == 200
    again = requests.post(check, json=asked, params=VERSION, headers=headers, timeout=10).json()
    assert (again["nameAvailable"], again["reason"]) == (False, "AlreadyExists")


def test_role_assignments_are_listed_with_what_is_inherited(stand, setup):
    where = f"{ARM}{setup.account_id}/providers/Microsoft.Authorization/roleAssignments"
    query = {**VERSION, "$filter": f"principalId eq '{setup.oid}'"}
    listed = requests.get(where, query, headers=bearer(setup), timeout=10).json()["value"]
    (role,) = [one["properties"]["roleDefinitionId"].rpartition("/")[2] for one in listed]
    assert role == "17d1049b-9a84-46fb-8f53-869881c3d3ab"


def test_a_child_process_is_led_to_the_stand_and_nowhere_else(stand, setup):
    script = (
        "import requests, sys\n"
        "print(requests.get(sys.argv[1], timeout=10).status_code)\n"
        "try:\n    requests.get('https://example.com', timeout=10)\n"
        "except requests.ConnectionError as error:\n    print('unknown' if 'not known' in str(error) else error)\n"
    )
    command = [sys.executable, "-c", script, f"https://{setup.login_server}/v2/"]
    done = subprocess.run(command, env=setup.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["401", "unknown"], done.stderr
