"""Values that no setting takes, and how it says so; shared by the tests of the settings."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.settings import InvalidSettingsError, Settings

STORAGE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
SECRETS = [
    f"DefaultEndpointsProtocol=https;AccountName=devstore;AccountKey={STORAGE_KEY}",
    STORAGE_KEY,
    "https://contoso.blob.core.windows.net/c/b?sv=2024-11-04&sp=r&sig=Zm9vYmFyYmF6cXV4",
    "?sv=2024-11-04&sig=Zm9vYmFyYmF6cXV4",
    "https://user:hunter2hunter2@contosoml.azurecr.io",
    "eyJ0eXAiOiJKV1QiLCJhbGciOi.eyJhdWQiOiJodHRwczov.c2lnbmF0dXJl",
    "abc8Q~abcdefghijklmnopqrstuvwxyz0123456789",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQ",
    "client_secret=hunter2hunter2",
    "Password=hunter2hunter2",
]
PLACEHOLDERS = [
    "<acr-name>.azurecr.io",
    "<acr-name>",
    "YOUR_REGISTRY",
    "your-registry.azurecr.io",
    "yourregistry.azurecr.io",
    "YOUR_STORAGE_ACCOUNT",
    "xxx.azurecr.io",
    "xxxxxx.azurecr.io",
    "contoso.azurecr.io/<team>",
    "...",
    "\u2026",
    "TODO",
    "todo",
    "changeme",
    "CHANGE_ME",
    "REPLACE_ME",
    "${ACR}.azurecr.io",
    "$ACR.azurecr.io",
    "{{ acr }}.azurecr.io",
    "%ACR%.azurecr.io",
    "registryname.azurecr.io",
    "FIXME",
]


def refused(**values) -> InvalidSettingsError:
    with pytest.raises(InvalidSettingsError) as raised:
        Settings(**values)
    return raised.value
