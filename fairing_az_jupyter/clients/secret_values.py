"""A secret value on its way from where it is kept to where it is needed, and to nowhere else."""

from __future__ import annotations

import hmac
from typing import NoReturn


class SecretValue:
    """Holds a secret text; every way of printing, formatting or pickling it shows nothing of it.

    Args:
        value: The secret.

    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """Return the secret, for the one call that needs it."""
        return self.__value

    def __repr__(self) -> str:
        return "(hidden)"

    def __format__(self, _spec: str) -> str:
        return repr(self)

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretValue):
            return NotImplemented
        mine, theirs = (text.encode("utf-8", "surrogatepass") for text in (self.__value, other.reveal()))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash((SecretValue, self.__value))

    def __reduce__(self) -> NoReturn:
        msg = "a secret is not pickled"
        raise TypeError(msg)
