"""The box as its own authority for certificates: what makes its page secure for phones that choose to trust it.

    off --keeper--> on: a key and a certificate of the authority, and a key of the page; certificates are made as needed
    on --keeper--> leaving: the authority's key is erased; its last certificate sends phones home for a while
    leaving --it has run out--> off

The authority is tied down by name constraints (RFC 5280, 4.2.1.10): whoever trusts it trusts it for this box's names
and addresses, and for no other site. Its key never leaves the box. Keys are on P-256, which every phone knows.

Without names of its own it may speak for no name at all: where a constraint says nothing of a kind, that kind is free.

Many boxes have no clock: certificates begin when the authority was made, or later by the box's date, never before, so a
box that woke in the past makes none that phones find unborn. An authority begins in 2026 at the earliest: one that was
made before the box knew the date serves when it does. 820 days is less than what phones take (825, Apple).
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from meshnode.core.clock import EPOCH_2026
from meshnode.errors import ConfigError

AUTHORITY: Final = timedelta(days=3650)
PAGE: Final = timedelta(days=820)
FAREWELL: Final = timedelta(days=90)
EARLIER: Final = timedelta(days=1)  # phones whose clock is behind
NAME_MOST: Final = 64  # octets of a common name (RFC 5280, appendix A.1: ub-common-name)


class Held(msgspec.Struct, frozen=True):
    """What lies on the disk, keys and certificates as PEM. Without the authority's key it is leaving."""

    authority: str
    page_key: str
    authority_key: str = ""
    page: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose page it is: the box's name for people, and what phones may call it."""

    name: str
    names: tuple[str, ...]
    addresses: tuple[str, ...]


def new_authority(subject: Subject, now: float) -> Held:
    """An authority for this box alone; `now` in Unix seconds."""
    key, page_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = _called(f"meshnode {subject.name}")
    begins = _moment(max(now, EPOCH_2026)) - EARLIER
    made = (
        _certificate(name, name, key.public_key(), begins, begins + AUTHORITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_tied_to(subject), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Held(_pem(made), _key_pem(page_key), authority_key=_key_pem(key))


def page_certificate(held: Held, subject: Subject, now: float, lasting: timedelta = PAGE) -> str:
    """A certificate for the page, PEM, by an authority that is on."""
    authority = x509.load_pem_x509_certificate(held.authority.encode())
    page_key, key = _key(held.page_key), _key(held.authority_key)
    ends = authority.not_valid_after_utc
    begins = min(max(authority.not_valid_before_utc, _moment(now) - EARLIER), ends - EARLIER)
    called: list[x509.GeneralName] = [x509.DNSName(one) for one in subject.names]
    called += [x509.IPAddress(ip_address(one)) for one in subject.addresses]
    public = page_key.public_key()
    made = (
        _certificate(_called(f"page of {subject.name}"), authority.subject, public, begins, min(begins + lasting, ends))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(called), critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _pem(made)


def leaving(held: Held, subject: Subject, now: float) -> Held:
    """The authority's key is gone; one last certificate lasts long enough to send phones home."""
    return Held(held.authority, held.page_key, page=page_certificate(held, subject, now, FAREWELL))


def authority_der(held: Held) -> bytes:
    """The certificate that a phone installs."""
    return x509.load_pem_x509_certificate(held.authority.encode()).public_bytes(Encoding.DER)


def fingerprint(held: Held) -> str:
    """SHA-256 of it, as phones show it."""
    return x509.load_pem_x509_certificate(held.authority.encode()).fingerprint(hashes.SHA256()).hex(":").upper()


def fits(held: Held, subject: Subject) -> bool:
    """True if the authority speaks for all names and addresses that the box has now."""
    authority = x509.load_pem_x509_certificate(held.authority.encode())
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    allowed = {str(one.value) for one in constraints.permitted_subtrees or ()}
    return {*subject.names, *(str(ip_network(one)) for one in subject.addresses)} <= allowed


def context(held: Held, certificate: str) -> ssl.SSLContext:
    """What TLS 1.2 and later is spoken with. OpenSSL reads keys from files only: this one is in memory."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    with os.fdopen(os.memfd_create("page"), "wb") as file:
        file.write((certificate + held.page_key).encode())
        file.flush()
        made.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
    return made


def check(held: Held) -> None:
    """ValueError or ConfigError for what this file did not write."""
    certificates, keys = (held.authority, held.page), (held.page_key, held.authority_key)
    for pem in filter(None, certificates):
        x509.load_pem_x509_certificate(pem.encode())
    for pem in filter(None, keys):
        _key(pem)


def expires_at(certificate: str) -> float:
    """When a certificate runs out, in Unix seconds."""
    return x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc.timestamp()


def _called(text: str) -> x509.Name:
    """For people, in no more octets than fit; the blank in it says that it is no name of a host."""
    cut = text.encode()[:NAME_MOST].decode(errors="ignore")
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cut)])


def _tied_to(subject: Subject) -> x509.NameConstraints:
    names = [x509.DNSName(one) for one in subject.names]
    addresses = [x509.IPAddress(ip_network(one)) for one in subject.addresses]
    none = None if names else [x509.DNSName("")]  # every name is below the empty one
    return x509.NameConstraints(permitted_subtrees=[*names, *addresses], excluded_subtrees=none)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return made.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _moment(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC).replace(microsecond=0)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _key(pem: str) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError("The key of the page's certificates is of another kind; remove the file `authority`.")
    return key
