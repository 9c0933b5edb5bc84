"""The first message: it opens a session towards a prekey of the recipient (protocol rule 8).

    header 16 | HPKE( root 32 | sender persona 32 | device 32 | incarnation 4 | certificate length 1 | short certificate
                      or its 8 B id | signature 64 | inner, padded )

`info` of the HPKE is "mn-first-v1" | recipient persona | recipient device | prekey block id | header: no sender in it,
because the opener does not know one yet. The signature covers "mn-first-sig" | info | sender persona | device |
incarnation | H(root), and not the text: both ends are bound to the session, while the text stays deniable. It cannot be
aimed anew at a third party, who would see another `info`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from meshnode.core.identity.certificate import (
    SHORT_CERTIFICATE_SIZE,
    Certificate,
    certificate_id,
    lengthen,
    read_certificate_untrusted,
    shorten,
)
from meshnode.core.identity.keys import Keys
from meshnode.core.identity.octets import Cursor
from meshnode.core.ids import KEY_SIZE, BlockId, DeviceKey, Incarnation, PersonaKey, Receipt
from meshnode.core.ports import Sealer
from meshnode.core.sealing.chainkey import ROOT_SIZE, first_key, receipt_of, root_hash, root_id
from meshnode.core.sealing.envelope import (
    HEADER_SIZE,
    KIND_FIRST,
    EnvelopeHeader,
    Sealed,
    Terms,
    opens,
    read_envelope_untrusted,
    receipt_tag,
)
from meshnode.core.sealing.inner import Inner, decode_inner_untrusted
from meshnode.core.sealing.primitives import SIGNATURE_SIZE
from meshnode.errors import SignatureError, WireError

CERTIFICATE_ID_SIZE = 8

KnownCertificate = Callable[[bytes], bytes | None]  # from the 8 B id to the certificate, if held


@dataclass(frozen=True, slots=True)
class Prekey:
    """What a first message is sealed to. `public` is not needed for opening."""

    persona: PersonaKey
    device: DeviceKey
    block: BlockId
    public: bytes = b""


@dataclass(frozen=True, slots=True)
class FirstMessage:
    """An opened first message, with its signature checked.

    `certificate` is None when only its id came and it is not held here: then the device is not yet known to belong to
    the persona. Keep the envelope, and try again when the person log of `persona` has arrived.
    """

    header: EnvelopeHeader
    persona: PersonaKey
    device: DeviceKey
    incarnation: Incarnation
    certificate: Certificate | None
    certificate_id: bytes
    root: bytes = field(repr=False)
    inner: Inner
    receipt: Receipt

    @property
    def root_id(self) -> bytes:
        """16 B of H(root): seen once more under the same prekey, it is a replay (rule 8.6)."""
        return root_id(self.root)


def seal_first(
    sealer: Sealer, keys: Keys, to: Prekey, root: bytes, terms: Terms, inner: Inner, *, whole_certificate: bool = True
) -> Sealed:
    """The first envelope of a session; `root` is 32 fresh random bytes. `Ratchet.begin` goes on from there."""
    receipt = receipt_of(first_key(root, from_initiator=True))
    header = terms.header(KIND_FIRST, receipt_tag(receipt)).encode()
    info = _info(to, header)
    signature = sealer.sign(keys.device_secret, _signed(info, keys.persona, keys.device, keys.incarnation, root))
    vouched = shorten(keys.certificate) if whole_certificate else certificate_id(keys.certificate)
    sender = keys.persona + keys.device + keys.incarnation + bytes((len(vouched),)) + vouched
    sealed = sealer.hpke_seal(to.public, info, root + sender + signature + inner.encode())
    return Sealed(header + sealed, receipt_tag(receipt), receipt, 0)


def open_first_untrusted(
    sealer: Sealer, data: bytes, me: Prekey, secret: bytes, known: KnownCertificate
) -> FirstMessage | None:
    """What was sealed to this prekey of ours; None if it was sealed to another, WireError if to us but not right."""
    header = read_envelope_untrusted(data)
    if header.kind != KIND_FIRST:
        raise WireError("an envelope is no first message")
    info = _info(me, data[:HEADER_SIZE])
    plaintext = sealer.hpke_open(secret, info, data[HEADER_SIZE:])
    if plaintext is None:
        return None
    return _read_untrusted(sealer, header, info, plaintext, known)


def _read_untrusted(
    sealer: Sealer, header: EnvelopeHeader, info: bytes, plaintext: bytes, known: KnownCertificate
) -> FirstMessage:
    cursor = Cursor(plaintext, "a first message")
    root = cursor.take(ROOT_SIZE)
    persona, device = PersonaKey(cursor.take(KEY_SIZE)), DeviceKey(cursor.take(KEY_SIZE))
    incarnation, vouched = Incarnation(cursor.take(4)), cursor.take(cursor.number(1))
    signature, padded = cursor.take(SIGNATURE_SIZE), cursor.rest()
    receipt = receipt_of(first_key(root, from_initiator=True))
    if not opens(header.tag, receipt):
        raise WireError("a first message carries a tag that does not follow from its root")
    if not sealer.verify(device, _signed(info, persona, device, incarnation, root), signature):
        raise SignatureError("a first message is not signed by the device it names")
    vouched_id, certificate = _certificate_untrusted(sealer, vouched, persona, device, known)
    inner = decode_inner_untrusted(padded)
    return FirstMessage(header, persona, device, incarnation, certificate, vouched_id, root, inner, receipt)


def _certificate_untrusted(
    sealer: Sealer, vouched: bytes, persona: PersonaKey, device: DeviceKey, known: KnownCertificate
) -> tuple[bytes, Certificate | None]:
    """The id of the sender's certificate, and the certificate where it came along or is held."""
    if len(vouched) == SHORT_CERTIFICATE_SIZE:
        data: bytes | None = lengthen(vouched, persona, device)
    elif len(vouched) == CERTIFICATE_ID_SIZE:
        data = known(vouched)
    else:
        raise WireError("a first message carries neither a certificate nor its id")
    if data is None:
        return vouched, None
    certificate = read_certificate_untrusted(data, sealer)
    if (certificate.persona, certificate.device) != (persona, device):
        raise SignatureError("a first message names a certificate of somebody else")
    return certificate.id, certificate


def _info(prekey: Prekey, header: bytes) -> bytes:
    return b"mn-first-v1" + prekey.persona + prekey.device + prekey.block + header


def _signed(info: bytes, persona: PersonaKey, device: DeviceKey, incarnation: Incarnation, root: bytes) -> bytes:
    return b"mn-first-sig" + info + persona + device + incarnation + root_hash(root)
