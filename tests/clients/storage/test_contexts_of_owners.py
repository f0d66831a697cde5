"""Build contexts tell who has sent them, and by their time when they were last of use."""

from __future__ import annotations

import time
from datetime import timedelta

from fairing_az_jupyter.clients.azure.blob import contexts
from fairing_az_jupyter.clients.azure.blob.contexts import ContextStore
from fairing_az_jupyter.clients.azure.blob.storage import OWNER
from fairing_az_jupyter.clients.secret_values import SecretValue
from tests.clients.storage_scene import KEY


def test_a_context_keeps_its_sender_and_becomes_young_where_it_is_used_again(blobs, bundle, tmp_path, monkeypatch):
    path = tmp_path / "context.tar.gz"
    path.write_bytes(b"x" * 1000)
    container, digest = f"owners-{time.time_ns()}", "ab" * 32
    states = []
    for owner, fresh in (("team-a/me", timedelta(days=1)), ("team-b/you", timedelta(days=1)), ("", timedelta(0))):
        monkeypatch.setattr(contexts, "_FRESH", fresh)
        store = ContextStore(blobs, SecretValue(KEY), owner=owner, ca_bundle=bundle)
        kept = store.keep(path, digest, container=container)
        states.append(store.blob_client(container, kept.blob).get_blob_properties())
        store.close()
        time.sleep(1.1)

    assert [state.metadata for state in states] == [{OWNER: "team-a/me"}] * 3
    assert states[0].last_modified == states[1].last_modified < states[2].last_modified
