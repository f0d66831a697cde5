"""A secret is shown nowhere."""

from __future__ import annotations

import pickle

import pytest

from fairing_az_jupyter.clients.secret_values import SecretValue

SECRET = "MARK-of-a-secret"


def test_a_secret_is_shown_by_no_way_of_printing():
    hidden = SecretValue(SECRET)

    assert SECRET not in f"{hidden} {hidden!r} {hidden:>40} {[hidden]} { ({'a': hidden}) }" + str(hidden)
    assert SECRET not in repr(vars(hidden) if hasattr(hidden, "__dict__") else "")
    assert hidden.reveal() == SECRET


def test_a_secret_is_not_pickled():
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(SecretValue(SECRET))


def test_secrets_are_compared_by_their_values():
    assert SecretValue("a") == SecretValue("a")
    assert SecretValue("a") != SecretValue("b")
    assert SecretValue("a") != "a"
    assert SecretValue("\udcff") == SecretValue("\udcff")
    assert len({SecretValue("a"), SecretValue("a")}) == 1
    assert not SecretValue("")
