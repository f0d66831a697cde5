"""What names an MLflow tracking server, and an experiment on it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from fairing_az_jupyter.settings.naming import BrokenRuleError, tidy

TRACKING = "https://mlflow.org/docs/latest/self-hosting/architecture/tracking-server/"
LOGIN = (
    "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the environment instead."
)
"""Where the login to a server belongs: https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/."""

_LONGEST_EXPERIMENT = 500
_SERVERS = frozenset({"http", "https", "azureml"})
_FILES = frozenset({"file", "sqlite"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")


def tracking_uri(text: str) -> str:
    """Accept what MLflow takes as a tracking URI, without credentials in it.

    Args:
        text: A URL of a server, `databricks`, a URL of a SQLite file, or a folder.

    Returns:
        The same text, a server's without a slash at its end.

    Raises:
        BrokenRuleError: It is another URI, or holds credentials.

    """
    named = _SCHEME.match(text)
    if named is None:
        if any(not character.isprintable() for character in text):
            raise BrokenRuleError("has characters that can't be shown")
        return text
    scheme = named[1].lower()
    if scheme in _FILES or text == "databricks" or scheme == "databricks":
        return text
    if scheme not in _SERVERS:
        raise BrokenRuleError("must begin with https://, http://, azureml://, databricks://, file: or sqlite:")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise BrokenRuleError("is not a URL") from None
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise BrokenRuleError("holds a user name")
    if not parts.hostname or port == 0 or parts.query or parts.fragment or " " in text:
        corrected = tidy(text).partition("#")[0].partition("?")[0].rstrip("/")
        shown = corrected if corrected != text and urlsplit(corrected).hostname and " " not in corrected else ""
        raise BrokenRuleError("must be the address of a server, without a query", corrected=shown)
    return text.rstrip("/")


def experiment_name(text: str) -> str:
    """Accept the name of an experiment; MLflow itself limits its length alone.

    Args:
        text: The name.

    Returns:
        The same text.

    Raises:
        BrokenRuleError: It is too long, or can't be shown.

    """
    if len(text) > _LONGEST_EXPERIMENT or not text.isprintable():
        raise BrokenRuleError(f"must have 1 to {_LONGEST_EXPERIMENT} printable characters")
    return text
