"""What the layers hand each other about checks and the Secrets that they look at."""

from __future__ import annotations

import dataclasses
from typing import Literal

CheckStatus = Literal["pass", "warn", "fail", "skipped", "unknown"]


@dataclasses.dataclass(frozen=True)
class Fix:
    """One way to fix what a check has found, ready to be typed.

    Args:
        tool: What it is typed into: `fairing-azure`, `kubectl`, `az`, or `text` for what no command does.
        command: The whole command, filled with the user's own values; never with a secret. For `text` a sentence.

    """

    tool: Literal["fairing-azure", "kubectl", "az", "text"]
    command: str

    @property
    def magic(self) -> str:
        """The form for a notebook's cell; empty where there is none."""
        return f"%fairing_azure{self.command[len(self.tool) :]}" if self.tool == "fairing-azure" else ""

    def to_dict(self) -> dict[str, str]:
        """Return the fix as values that any JSON parser reads."""
        found = {"tool": self.tool, "command": self.command}
        return {**found, "magic": self.magic} if self.magic else found


@dataclasses.dataclass(frozen=True)
class CheckResult:
    """What one check has found.

    Args:
        check: The check's identifier, such as `registry.push`.
        title: What it checks, in a few words.
        status: `pass`; `warn`: it works, but the user should know; `fail`: a launch would fail; `skipped`: it makes no
            sense or something before it failed; `unknown`: it could not be found out.
        looked_at: The object that it looked at, such as `Secret azcreds in namespace team-a`.
        message: What was found, in one sentence.
        why: Why it matters, in one sentence.
        fixes: What to type, the best first; empty where there is nothing to fix.
        fixable: Whether this package can fix it itself.
        code: What was found, as an identifier for programs, such as `expired-secret`; empty where all is well.
        duration: Seconds that it takes if it is run alone, with all that it builds on.
        position: Its place among the others in the order in which they are read; they are found in the order of time.

    """

    check: str
    title: str
    status: CheckStatus
    looked_at: str
    message: str
    why: str = ""
    fixes: tuple[Fix, ...] = ()
    fixable: bool = False
    code: str = ""
    duration: float = 0.0
    position: int = 0

    def to_dict(self) -> dict[str, object]:
        """Return the result as values that any JSON parser reads."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**fields, "fixes": [fix.to_dict() for fix in self.fixes], "duration": round(self.duration, 3)}


@dataclasses.dataclass(frozen=True)
class Question:
    """Something that only the user can tell; a front end asks it and keeps the answer nowhere.

    Args:
        name: What is asked for: `client_id`, `client_secret`, `tenant_id`, `subscription_id`, `expires` or `confirm`.
        text: The question, to stand before the cursor.
        hidden: Whether the answer is a secret and must not be shown while it is typed.
        optional: Whether an empty answer will do, as `text` explains.

    """

    name: Literal["client_id", "client_secret", "tenant_id", "subscription_id", "expires", "confirm"]
    text: str
    hidden: bool = False
    optional: bool = False


@dataclasses.dataclass(frozen=True)
class SecretChange:
    """What became of one object when the secrets were prepared; in a dry run, what would become of it.

    Args:
        kind: `Secret` or `ServiceAccount`.
        name: The object's name.
        namespace: Its namespace.
        outcome: `created`, `updated` or `unchanged`.
        keys: For a Secret: the keys that were written; never their values.
        note: What else the user should know, in one sentence; empty where there is nothing.

    """

    kind: Literal["Secret", "ServiceAccount"]
    name: str
    namespace: str
    outcome: Literal["created", "updated", "unchanged"]
    keys: tuple[str, ...] = ()
    note: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the change as values that any JSON parser reads."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class SecretState:
    """What may be shown of one object that a launch needs: never a value.

    Args:
        kind: `Secret` or `ServiceAccount`.
        name: The object's name.
        namespace: Its namespace.
        state: `present`, `missing`, or `not-allowed` where this user may not look.
        type: A Secret's type; empty where it is not known.
        keys: A Secret's keys; for a ServiceAccount the Secrets that its pods pull images with.
        created: When a Secret was made, as ISO 8601 in UTC; empty where it is not known.
        expires: When the client secret in it expires, as ISO 8601; empty where nobody has noted it.

    """

    kind: Literal["Secret", "ServiceAccount"]
    name: str
    namespace: str
    state: Literal["present", "missing", "not-allowed"]
    type: str = ""
    keys: tuple[str, ...] = ()
    created: str = ""
    expires: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the state as values that any JSON parser reads."""
        return dataclasses.asdict(self)
