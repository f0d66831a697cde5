"""Ways to the cluster: what their tests share."""

from __future__ import annotations

import ipaddress
import json
import ssl
from datetime import datetime, timedelta, timezone

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fairing_az_jupyter.exceptions import ServiceError
from tests.marked import MARK, printed


def handing_out(**fields):
    answer = {"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "status": fields}
    return f"print({json.dumps(json.dumps(answer))})"


def failing(call):
    with pytest.raises(ServiceError) as caught:
        call()
    assert MARK not in printed(caught.value)
    assert caught.value.hint
    return caught.value


def broken(**parts):
    """Return a kubeconfig with these parts in place of good ones."""
    content = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": MARK}}],
    }
    return yaml.safe_dump(content | parts).encode()


class PlainAuthority:
    """An authority that writes no key identifiers, as those of many clusters."""

    def __init__(self, folder):
        self._key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root = self._signed("ca", self._key, x509.BasicConstraints(ca=True, path_length=None), critical=True)
        host = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        leaf = self._signed("leaf", key, x509.SubjectAlternativeName([host]), critical=False)
        self.bundle, self._file = folder / "authority.pem", folder / "leaf.pem"
        self.bundle.write_bytes(root.public_bytes(Encoding.PEM))
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._file.write_bytes(private + leaf.public_bytes(Encoding.PEM))

    def front_context(self, kind):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._file)
        return context

    def _signed(self, name, key, extension, *, critical):
        subject, issuer = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, one)]) for one in (name, "ca"))
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).add_extension(extension, critical)
        start = datetime(2020, 1, 1, tzinfo=timezone.utc)
        builder = builder.not_valid_before(start).not_valid_after(start + timedelta(days=36500))
        return builder.sign(self._key, hashes.SHA256())
