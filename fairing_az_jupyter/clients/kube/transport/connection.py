"""A way to an API server: its address, how its certificate is checked, who asks, and the sockets for it."""

from __future__ import annotations

import http.client
import ipaddress
import logging
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from fairing_az_jupyter.exceptions import CredentialError, ServiceError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.clients.kube.transport.identity import Credential

# As many questions as `can_all` asks at the same time.
AT_ONCE = 8
# Several such calls run beside others; sockets beyond this are opened and thrown away, each with a warning in the log.
_POOL_SIZE = 4 * AT_ONCE
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Connection:
    """Where an API server is, and how to talk to it.

    Args:
        server: Its URL, with a path where it has one.
        credential: Who asks.
        namespace: The namespace that is intended where none is named.
        source: In words, where all this comes from and why not from elsewhere.
        in_cluster: Whether this process runs in a pod of that cluster.
        ca_file: The certificates that its own must be signed by; None means the public ones.
        certificate_file: The client certificate, or None.
        key_file: The client certificate's key, or None.
        verify: Whether its certificate is checked at all.
        tls_server_name: The name to look for in its certificate, where that is not the host's.
        proxy: URL of the proxy to go through, or None; it may hold a password.

    """

    server: str
    credential: Credential = field(repr=False)
    namespace: str
    source: str
    in_cluster: bool
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    verify: bool = True
    tls_server_name: str | None = None
    proxy: str | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """The server's host and port, for messages."""
        return address_of(self.server)


def address_of(url: str) -> str:
    """Return a URL's host and port, without user, password and path.

    Args:
        url: The URL.

    Returns:
        Such as `10.0.0.1:443` or `[fd00::1]:6443`.

    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    host = parts.hostname or ""
    return f"{f'[{host}]' if ':' in host else host}:{port or _DEFAULT_PORTS.get(parts.scheme, 443)}"


def fresh_configuration() -> Any:  # noqa: ANN401 - the kubernetes package has no types
    """Make a Configuration of our own, without what making one does to the rest of the process.

    Returns:
        The Configuration: nothing of it comes from, or goes to, the default one that other code may use.

    """
    from kubernetes.client import Configuration  # noqa: PLC0415 - takes 0.3 s and more

    loggers = [logging.getLogger(name) for name in ("client", "urllib3")]
    levels = [logger.level for logger in loggers]
    debug = http.client.HTTPConnection.debuglevel
    try:
        configuration = Configuration()
    finally:
        # Its constructor sets them to what it thinks best.
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        http.client.HTTPConnection.debuglevel = debug
    # It takes HTTP_PROXY for HTTPS too and forgets NO_PROXY: a pod behind a company's proxy would not find its cluster.
    configuration.proxy = None
    configuration.no_proxy = None
    return configuration


def open_pool(connection: Connection) -> Any:  # noqa: ANN401 - the kubernetes package has no types
    """Make the pool of sockets that the kubernetes package would use for a connection.

    Args:
        connection: The way to the API server.

    Returns:
        An `urllib3.PoolManager`.

    Raises:
        UnreachableError: The proxy's address is of no use.

    """
    import urllib3  # noqa: PLC0415 - as kubernetes
    from kubernetes.client.rest import RESTClientObject  # noqa: PLC0415 - takes 0.3 s and more

    configuration = fresh_configuration()
    configuration.host = connection.server
    configuration.ssl_ca_cert = connection.ca_file
    configuration.cert_file, configuration.key_file = connection.certificate_file, connection.key_file
    configuration.verify_ssl = connection.verify
    configuration.tls_server_name = connection.tls_server_name
    configuration.connection_pool_maxsize = _POOL_SIZE
    if connection.proxy:
        configuration.proxy = connection.proxy
        user = urlsplit(connection.proxy)
        if user.username:
            login = f"{unquote(user.username)}:{unquote(user.password or '')}"
            configuration.proxy_headers = urllib3.make_headers(proxy_basic_auth=login)
    # Python 3.13 rejects certificates without an Authority Key Identifier; many clusters' authorities write none, and
    # kubectl takes them (https://github.com/kubernetes-client/python/issues/2394).
    context = urllib3.util.ssl_.create_urllib3_context()
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        pool = RESTClientObject(configuration).pool_manager
        if connection.verify:
            pool.connection_pool_kw["ssl_context"] = context
    except (urllib3.exceptions.HTTPError, ValueError):
        problem = UnreachableError(
            f"The proxy for the cluster at {connection.address} ({address_of(connection.proxy or '')}) has an address "
            "that can't be used: only http:// and https:// proxies can.",
            hint="Correct HTTPS_PROXY or the kubeconfig's proxy-url, or add the cluster's host to NO_PROXY.",
            code="unreachable-proxy",
            service="kubernetes",
        )
    else:
        return pool
    raise problem


def check_tls_files(connection: Connection) -> None:
    """See that the certificate files can be used, before a handshake fails for a reason that names none of them.

    Args:
        connection: The way to the API server.

    Raises:
        ServiceError: The file with the trusted certificates is missing or holds none.
        CredentialError: The client certificate or its key is missing, or they don't fit.

    """
    if connection.ca_file is not None:
        _check(
            lambda: ssl.create_default_context(cafile=connection.ca_file),
            [connection.ca_file],
            "The certificates that the cluster's own is checked against",
            "Without them the cluster's identity can't be verified.",
            ServiceError,
            "cluster-ca",
        )
    if connection.certificate_file is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # An empty password: an encrypted key would make OpenSSL ask at the terminal, and a kernel has none.
        files = connection.certificate_file, connection.key_file
        _check(
            lambda: context.load_cert_chain(*files, password=""),
            [name for name in files if name],
            "The client certificate and its key",
            "Without them the cluster can't authenticate you.",
            CredentialError,
            "credential-certificate",
        )


def _check(
    use: Any,  # noqa: ANN401 - what it returns is not used
    files: list[str],
    what: str,
    why: str,
    kind: type[ServiceError],
    code: str,
) -> None:
    problem = ""
    try:
        for name in files:
            Path(name).open("rb").close()
        use()
    except ssl.SSLError:
        problem = "can't be used: no PEM certificates, or they don't fit together"
    except (OSError, ValueError) as error:
        problem = f"can't be read: {getattr(error, 'strerror', None) or 'not a usable file'}"
    if problem:
        raise kind(
            f"{what} ({' and '.join(files)}) {problem}. {why}",
            hint="Restart the notebook server, or renew the kubeconfig: az aks get-credentials -g GROUP -n CLUSTER",
            code=code,
            service="kubernetes",
        )


def proxy_for(server: str, environ: Mapping[str, str]) -> str | None:
    """Choose the proxy as kubectl does.

    Source: https://pkg.go.dev/net/http#ProxyFromEnvironment

    Args:
        server: The API server's URL.
        environ: The environment.

    Returns:
        The proxy's URL, or None where there is none for this server.

    """
    parts = urlsplit(server)
    host = parts.hostname or ""
    proxy = environ.get(f"{parts.scheme}_proxy") or environ.get(f"{parts.scheme.upper()}_PROXY")
    exempt = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if not proxy or host == "localhost" or any(_exempts(entry.strip().lower(), host) for entry in exempt.split(",")):
        return None
    try:
        if ipaddress.ip_address(host).is_loopback:
            return None
    except ValueError:
        pass
    return proxy if "://" in proxy else f"http://{proxy}"


def _exempts(entry: str, host: str) -> bool:
    """Tell whether one entry of NO_PROXY is about a host: `*`, a domain, an address or a network."""
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        name = entry.removeprefix("*") if entry.startswith("*.") else entry
        domain = name if name.startswith(".") else f".{name}"
        return entry == "*" or (bool(entry) and (host == name or host.endswith(domain)))
