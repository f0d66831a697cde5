"""Blobs named by URL: `abs://ACCOUNT.blob.core.windows.net/CONTAINER/folder/name.ipynb`, as papermill has them.

The name is taken as it stands, as papermill and fsspec take it: `%20` is three characters of it. What is not a Storage
account's host is rejected, for a token is sent to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from fairing_az_jupyter.clients.azure.clouds import CLOUDS
from fairing_az_jupyter.exceptions import InputError

if TYPE_CHECKING:
    from typing_extensions import Self

    from fairing_az_jupyter.clients.azure.clouds import AzureCloud

__all__ = ["SCHEME", "BlobUrl"]

SCHEME = "abs://"

_SHAPE = "Write abs://ACCOUNT.blob.core.windows.net/CONTAINER/NAME.ipynb."
_NO_QUERY = (
    "Write the URL without it: the credential of the settings is used. fairing-azure check shows whether it may read "
    "and write there."
)
_CODE = "blob-url"
# Source: https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
_CONTAINER = re.compile(r"\$(?:root|web|logs)|(?=.{3,63}\Z)[a-z0-9]+(?:-[a-z0-9]+)*")
_LONGEST_NAME = 1024
_ACCOUNT = r"[a-z0-9]{3,24}"
# Accounts with a DNS zone of their own have another suffix, which is the same in every cloud; source:
# https://learn.microsoft.com/azure/storage/common/storage-account-overview#azure-dns-zone-endpoints-preview
_SUFFIXES = "|".join(re.escape(cloud.blob_suffix) for cloud in CLOUDS.values())
_HOST = re.compile(rf"({_ACCOUNT})\.(?:{_SUFFIXES}|z[0-9]+\.blob\.storage\.azure\.net)")
_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost)(?::[0-9]{1,5})?")
# Where a shared access signature may begin, also in a URL that was pasted badly.
_QUERY = re.compile(r"\?|%3f|[&#;](?:sig|sv|se|sp|st)=", re.IGNORECASE)


@dataclass(frozen=True)
class BlobUrl:
    """A blob's place.

    Args:
        host: The host of the account's blobs, with its port where it has one.
        account: The Storage account.
        container: The container.
        name: The blob's name, or what names begin with; may be empty for the latter.

    """

    host: str
    account: str
    container: str
    name: str

    @classmethod
    def parse(cls, url: str, *, prefix: bool = False) -> Self:
        """Read a URL.

        Args:
            url: Such as `abs://contosomldata.blob.core.windows.net/runs/a.ipynb`, of any Azure cloud; on loopback
                `abs://127.0.0.1:10000/ACCOUNT/CONTAINER/NAME`, as Azurite has it.
            prefix: What names begin with is intended, which may be empty.

        Returns:
            The place.

        Raises:
            InputError: It names no blob; what may be a shared access signature is not shown.

        """
        shown = cls.shown(url)
        if not url.startswith(SCHEME):
            _reject(shown, "does not begin with abs://", _instead(shown))
        if shown != url:
            _reject(
                shown,
                "has a query, where a shared access signature (SAS) would be: that is a secret and would be "
                "recorded with the run",
                _NO_QUERY,
            )
        host, _, rest = url.removeprefix(SCHEME).partition("/")
        if "@" in host:
            hidden = f"{SCHEME}...@{host.rpartition('@')[2]}"
            _reject(hidden, "has something before an '@'; the account's name belongs in the host", _SHAPE)
        host = host.lower()
        found = _HOST.fullmatch(host)
        if found:
            account = found[1]
        elif _LOOPBACK.fullmatch(host):
            account, _, rest = rest.partition("/")
        else:
            hint = f"Write abs://{host}.blob.core.windows.net/..." if re.fullmatch(_ACCOUNT, host) else _SHAPE
            _reject(shown, f"does not name a storage account's host ({host!r})", hint)
        if not re.fullmatch(_ACCOUNT, account):
            _reject(
                shown,
                f"does not name a storage account ({account!r} has not 3 to 24 lower-case letters and digits)",
                _SHAPE,
            )
        container, _, name = rest.partition("/")
        if not container:
            _reject(shown, "does not name a container", _SHAPE)
        if not _CONTAINER.fullmatch(container):
            rule = "A container has 3 to 63 lower-case letters, digits and single hyphens."
            _reject(shown, f"has an invalid container name ({container!r})", rule)
        if not prefix and (not name or name.endswith("/")):
            _reject(shown, "does not name a blob in its container", _SHAPE)
        _check_name(shown, name)
        return cls(host, account, container, name)

    @staticmethod
    def shown(url: str) -> str:
        """Return a URL without what may be a secret in it: up to its query.

        Args:
            url: The URL.

        """
        found = _QUERY.search(url)
        return url[: found.start()] if found else url

    @property
    def endpoint(self) -> str:
        """Where the account's blobs are, by HTTPS; on loopback with the account, as Azurite has it."""
        return f"https://{self.host}/{self.account}" if _LOOPBACK.fullmatch(self.host) else f"https://{self.host}"

    @property
    def cloud(self) -> AzureCloud | None:
        """The cloud that the host is in; None where its name does not tell."""
        found = (cloud for cloud in CLOUDS.values() if self.host.endswith(f".{cloud.blob_suffix}"))
        return next(found, None)

    def __str__(self) -> str:
        return f"{SCHEME}{self.endpoint.removeprefix('https://')}/{self.container}/{self.name}"


def _check_name(shown: str, name: str) -> None:
    if len(name) > _LONGEST_NAME:
        _reject(f"{shown[:80]}...", f"names a blob with more than {_LONGEST_NAME} characters", "Give a shorter name.")
    # On its way a URL with such parts is shortened, and then names something else.
    if any(part in {".", ".."} for part in name.split("/")):
        _reject(shown, "has a part '.' or '..', which names no folder in Blob Storage", "Write the whole path.")
    if not name.isprintable() or "\\" in name:
        _reject(ascii(shown)[1:-1], "has a character that blob names can't contain", "Leave it out.")


def _instead(shown: str) -> str:
    scheme, mark, rest = shown.partition("://")
    host, _, path = rest.partition("/")
    if (
        mark
        and scheme.lower() in {"http", "https", "abs"}
        and (_HOST.fullmatch(host.lower()) or scheme.lower() == "abs")
    ):
        return f"Write {SCHEME}{rest}"
    # The Data Lake drivers' spelling, which fsspec takes too: abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH
    container, at, host = host.rpartition("@")
    if scheme.lower() in {"abfs", "abfss", "wasb", "wasbs"} and at:
        return f"Write {SCHEME}{host.replace('.dfs.', '.blob.')}/{container}/{path}"
    return _SHAPE


def _reject(shown: str, problem: str, hint: str) -> NoReturn:
    raise InputError(f"The URL '{shown}' {problem}.", hint=hint, code=_CODE)
