"""The keys of one home. Persona, device and node keys are unrelated: none is derived from another (protocol rule 1.5).

Else every beacon, which carries the node key, would be a location report on a person.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from meshnode.core.identity.certificate import CERTIFICATE_SIZE, issue_certificate, read_certificate_untrusted
from meshnode.core.identity.octets import Cursor
from meshnode.core.ids import KEY_SIZE, DeviceKey, Incarnation, NodeKey, PersonaKey
from meshnode.core.ports import Entropy, Sealer
from meshnode.errors import WireError

VERSION = 1
HAS_ROOT = 1  # flag: the persona's root secret is here (a second device will not have it)


@dataclass(frozen=True, slots=True)
class Keys:
    """All a node signs and agrees with. Secrets are 32 B seeds; `exchange` is the X25519 key of the node."""

    persona: PersonaKey
    persona_secret: bytes = field(repr=False)
    device: DeviceKey
    device_secret: bytes = field(repr=False)
    incarnation: Incarnation
    node: NodeKey
    node_secret: bytes = field(repr=False)
    exchange: bytes
    exchange_secret: bytes = field(repr=False)
    certificate: bytes


def new_keys(sealer: Sealer, entropy: Entropy, *, issued: int = 0) -> Keys:
    """A new persona with one device, on a new node. `issued`: minutes since 2026, 0 when the date is not known."""
    persona_secret, device_secret = entropy.take("key", KEY_SIZE), entropy.take("key", KEY_SIZE)
    persona, device = PersonaKey(sealer.signing_public(persona_secret)), DeviceKey(sealer.signing_public(device_secret))
    certificate = issue_certificate(sealer, persona, persona_secret, device, issued=issued)
    incarnation = Incarnation(entropy.take("incarnation", 4))
    node, exchange = entropy.take("key", KEY_SIZE), entropy.take("key", KEY_SIZE)
    return _assemble(sealer, persona, persona_secret, device_secret, incarnation, node, exchange, certificate)


def with_new_incarnation(keys: Keys, sealer: Sealer, entropy: Entropy) -> Keys:
    """After a restore, or beside a clone: same persona and device, new incarnation and new node keys (rule 11.6)."""
    node_secret, exchange_secret = entropy.take("key", KEY_SIZE), entropy.take("key", KEY_SIZE)
    return replace(
        keys,
        incarnation=Incarnation(entropy.take("incarnation", 4)),
        node=NodeKey(sealer.signing_public(node_secret)),
        node_secret=node_secret,
        exchange=sealer.agreeing_public(exchange_secret),
        exchange_secret=exchange_secret,
    )


def encode_keys(keys: Keys) -> bytes:
    """Everything secret in a row, to be sealed at rest. Public keys are derived again on reading."""
    flags = HAS_ROOT if keys.persona_secret else 0
    head = bytes((VERSION, flags)) + keys.persona + keys.persona_secret
    return head + keys.device_secret + keys.incarnation + keys.node_secret + keys.exchange_secret + keys.certificate


def decode_keys_untrusted(data: bytes, sealer: Sealer) -> Keys:
    """Keys as encoded; refuses a certificate that does not fit them."""
    cursor = Cursor(data, "a key file")
    version, flags = cursor.number(1), cursor.number(1)
    if version != VERSION or flags & ~HAS_ROOT:
        raise WireError("the key file was written by a newer meshnode")
    persona = PersonaKey(cursor.take(KEY_SIZE))
    root = cursor.take(KEY_SIZE) if flags & HAS_ROOT else b""
    device, incarnation = cursor.take(KEY_SIZE), Incarnation(cursor.take(4))
    node, exchange, certificate = cursor.take(KEY_SIZE), cursor.take(KEY_SIZE), cursor.take(CERTIFICATE_SIZE)
    cursor.end()
    keys = _assemble(sealer, persona, root, device, incarnation, node, exchange, certificate)
    _check_fit(keys, sealer)
    return keys


def _check_fit(keys: Keys, sealer: Sealer) -> None:
    certificate = read_certificate_untrusted(keys.certificate, sealer)
    named = (certificate.persona, certificate.device)
    root_fits = not keys.persona_secret or sealer.signing_public(keys.persona_secret) == keys.persona
    if named != (keys.persona, keys.device) or not root_fits:
        raise WireError("the key file holds keys that do not belong together")


def _assemble(
    sealer: Sealer,
    persona: PersonaKey,
    persona_secret: bytes,
    device_secret: bytes,
    incarnation: Incarnation,
    node_secret: bytes,
    exchange_secret: bytes,
    certificate: bytes,
) -> Keys:
    return Keys(
        persona=persona,
        persona_secret=persona_secret,
        device=DeviceKey(sealer.signing_public(device_secret)),
        device_secret=device_secret,
        incarnation=incarnation,
        node=NodeKey(sealer.signing_public(node_secret)),
        node_secret=node_secret,
        exchange=sealer.agreeing_public(exchange_secret),
        exchange_secret=exchange_secret,
        certificate=certificate,
    )
