"""TLS between neighbours: a certificate nobody checks, as the Go daemon has it.

TLS keeps listeners out and proves nothing: who the neighbour is, the handshake inside tells. The certificate's key is
one of its own, so the node's key never meets the TLS library.
"""

from __future__ import annotations

import datetime
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_END = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
# Long ago: a board without a battery may wake up before the certificate of a careful reader begins.
_BEGIN = datetime.datetime(1970, 1, 2, tzinfo=datetime.UTC)


def server_context(name: str) -> ssl.SSLContext:
    """For listeners: TLS 1.3, a fresh self-signed certificate of this name (at most 64 characters)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem += _certificate(name, key).public_bytes(Encoding.PEM)
    with tempfile.TemporaryDirectory() as directory:  # ssl reads files alone; the key is of no use to anybody
        file = Path(directory, "pem")
        file.touch(0o600)
        file.write_bytes(pem)
        context.load_cert_chain(file)
    return context


def client_context() -> ssl.SSLContext:
    """For dialling: any certificate will do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _certificate(name: str, key: Ed25519PrivateKey) -> x509.Certificate:
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    made = x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(_BEGIN).not_valid_after(_END)
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return made.sign(key, None)
