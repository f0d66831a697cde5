"""Parameters that look like secrets: their values would stand in the executed notebook for all to read."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fairing_az_jupyter.exceptions import ParameterError
from fairing_az_jupyter.runs.places.origins import DEEPEST, Origin, subject
from fairing_az_jupyter.settings import naming, notebook_names

# Glued together, so that ACCOUNT_KEY, accountKey and account-key are one.
_SECRET = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|CONNECTIONSTRING|CONNSTR|SASURL|SASKEY|(?:CLIENT|APP|API|SHARED)SECRET"
    r"|(?:ACCOUNT|ACCESS|API|STORAGE|PRIVATE|SHARED|MASTER|SECRET)KEY(?!WORD)"
)
# AZ_CREDS_SECRET_NAME names a Secret, PASSWORD_FILE says where it lies: neither is one.
_NO_SECRET_AT_THE_END = re.compile(r"(?:NAME|NAMES|FILE|PATH|FOLDER|DIR)$")
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
_SECRET_LAST_WORD = re.compile(r"(?:DB|USER|ADMIN)?(?:PASS|PWD)|SAS|(?:ACCESS|API|AUTH|BEARER|REFRESH|SAS)?TOKEN")
# Before TOKEN: the words of a tokenizer, not of a service.
_TEXT_TOKENS = frozenset(
    (
        "PAD",
        "EOS",
        "BOS",
        "UNK",
        "MASK",
        "SEP",
        "CLS",
        "START",
        "END",
        "STOP",
        "SPECIAL",
        "FIRST",
        "LAST",
        "NEXT",
        "PER",
    )
)
_SAFER = "Let the notebook read it from an environment variable or a mounted Kubernetes Secret."


def looks_secret(name: str) -> bool:
    """Return whether a parameter of this name would hold a secret; the project's own settings hold none."""
    glued = re.sub(r"[^A-Z0-9]", "", name.upper())
    if name in notebook_names().values() or _NO_SECRET_AT_THE_END.search(glued):
        return False
    words = [word.upper() for word in _WORD.findall(name)]
    if _SECRET.search(glued) or "SECRET" in words or "SECRETS" in words:
        return True
    before, last = ([""] * 2 + words)[-2:]
    return bool(_SECRET_LAST_WORD.fullmatch(last)) and not (last == "TOKEN" and before in _TEXT_TOKENS)


def reject_secrets(given: Mapping[str, object], origins: Mapping[str, Origin] | None = None) -> None:
    """Reject what looks like a secret, by its name or by its form: it would stand in the executed notebook for all.

    Args:
        given: The values that the run is given. True, False and None are not secrets.
        origins: Where each comes from, for the message.

    Raises:
        ParameterError: A name is one that secrets have, also within a mapping, or a text has the form of a key, a
            token, a connection string or the like. The message holds no value.

    """
    for name, value in given.items():
        if naming.looks_secret(name):
            raise ParameterError(
                "The name of a parameter looks like a secret, so it is not shown.",
                hint=f"Write: -p NAME VALUE. {_SAFER}",
                code="parameter-secret",
            )
        what = _secret_in(name, value)
        if what:
            raise ParameterError(
                f"{subject(name, origins)} {what}: papermill would write its value into the executed notebook, "
                "where everyone who gets the notebook can read it.",
                hint=_SAFER,
                code="parameter-secret",
            )


def is_secret(name: str, value: object) -> bool:
    """Return whether a value looks like a secret, by the name that it has ("" for none) or by its form."""
    return bool(_secret_in(name, value))


def _secret_in(name: str, value: object, depth: int = 0) -> str:
    """Return what makes a value a secret, as the end of a sentence that begins with the parameter; "" if nothing."""
    if value is None or isinstance(value, bool) or depth > DEEPEST:
        return ""
    if looks_secret(name):
        return f"has '{name}' in it, which looks like a secret" if depth else "looks like a secret"
    if isinstance(value, str):
        return "has the form of a secret" if naming.looks_secret(value) else ""
    if isinstance(value, Mapping):
        parts: list[tuple[str, object]] = []
        for key, part in value.items():
            # A key is text for all to read, too.
            parts += [("", str(key)), (str(key), part)]
    elif isinstance(value, (list, tuple, set, frozenset)):
        parts = [("", part) for part in value]
    else:
        return ""
    return next((what for what in (_secret_in(key, part, depth + 1) for key, part in parts) if what), "")
