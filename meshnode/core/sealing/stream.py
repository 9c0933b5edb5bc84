"""The handshake of a session, sans-IO: both sides prove membership of the mesh, and who they are (protocol rule 13.1).

    listener -> dialler   R 16, random
    dialler -> listener   HELLO: length 2 | sealed with K(session subkey, R), role 1 in the nonce
    listener -> dialler   HELLO, role 0 in the nonce; then records of both

    HELLO = versions 1 (oldest << 4 | newest) | node key 32 | X25519 key 32 | X25519 key of this session 32
            | nonce I 16 | own address (length 1, bytes) | the other's address (length 1, bytes) | signature 64
    signature by the node key over "mn-session-sig" | mesh id | role | R | all before it
    direction key = K(session subkey, X25519 of the nodes | X25519 of the session | R | I | both node keys, dialler's
            first | role of the sender)

A stranger gets 16 random bytes from a listener, and silence after that: the listener answers only to a HELLO that
opens, is signed, and names the two addresses of this very connection. HELLOs are sealed with AES-256-GCM-SIV, because
a false listener may send one R to many. The key of a session is forgotten with it: what was recorded stays shut
(docs/decisions/session-keys.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from meshnode.core.identity.keys import Keys
from meshnode.core.identity.octets import Cursor
from meshnode.core.ids import KEY_SIZE, NodeKey, keyed
from meshnode.core.ports import Entropy, Sealer
from meshnode.core.sealing.mesh import MeshKeys, MeshSecret
from meshnode.core.sealing.primitives import NONCE_SIZE, SIGNATURE_SIZE
from meshnode.core.sealing.records import RecordOpen, RecordSeal
from meshnode.errors import SignatureError, UsageError, WireError

LISTENER, DIALLER = 0, 1  # roles
OLDEST_VERSION, NEWEST_VERSION = 1, 1
MAX_UNPROVED = 512  # bytes taken from a peer before its HELLO is proved
MAX_ADDRESS = 16

_ROUND_SIZE = 16


@dataclass(frozen=True, slots=True)
class Proven:
    """The far end is a member and holds the node key `node`. `rest` are bytes that came early: feed them to `open`."""

    node: NodeKey
    exchange: bytes
    newest_version: int
    number: int  # of the mesh secret both know
    seal: RecordSeal
    open: RecordOpen
    rest: bytes


@dataclass(frozen=True, slots=True)
class _Hello:
    versions: int
    node: NodeKey
    exchange: bytes
    fresh: bytes
    nonce: bytes
    mine: bytes
    yours: bytes
    signature: bytes = field(default=b"")

    def body(self) -> bytes:
        addresses = bytes((len(self.mine),)) + self.mine + bytes((len(self.yours),)) + self.yours
        return bytes((self.versions,)) + self.node + self.exchange + self.fresh + self.nonce + addresses


class Handshake:
    """One side of one connection. Send what `take` gives, feed what arrives, until `feed_untrusted` gives `Proven`.

    Addresses are the packed overlay addresses of this connection (16 B), or both empty on a link-local one.
    """

    def __init__(
        self,
        role: int,
        keys: Keys,
        mesh: MeshKeys,
        my_address: bytes,
        peer_address: bytes,
        entropy: Entropy,
        sealer: Sealer,
    ) -> None:
        if max(len(my_address), len(peer_address)) > MAX_ADDRESS:
            raise UsageError("an address of a session is given packed, in at most 16 bytes")
        self._role = role
        self._keys = keys
        self._mesh = mesh
        self._mine, self._yours = my_address, peer_address
        self._sealer = sealer
        self._fresh = entropy.take("session", KEY_SIZE)
        self._incoming = b""
        self._round = b"" if role == DIALLER else entropy.take("session", _ROUND_SIZE)
        self._nonce = entropy.take("session", _ROUND_SIZE) if role == DIALLER else b""
        self._outgoing = self._round

    def take(self) -> bytes:
        """Bytes to send now."""
        outgoing, self._outgoing = self._outgoing, b""
        return outgoing

    def feed_untrusted(self, data: bytes) -> Proven | None:
        """Bytes from the far end; `Proven` once it is. Any error ends the connection, without a word."""
        self._incoming += data
        if not self._round and len(self._incoming) >= _ROUND_SIZE:
            self._round, self._incoming = self._incoming[:_ROUND_SIZE], self._incoming[_ROUND_SIZE:]
            self._outgoing += self._sealed_hello(self._mesh.current)
        sealed = self._take_hello() if self._round else None
        if sealed is None:
            if len(self._incoming) > MAX_UNPROVED:
                raise WireError("a peer sends much and proves nothing")
            return None
        return self._prove_untrusted(sealed)

    def _take_hello(self) -> bytes | None:
        size = int.from_bytes(self._incoming[:2], "big")
        if size > MAX_UNPROVED - 2:
            raise WireError("a peer's HELLO is too long")
        if len(self._incoming) < 2 + size or size == 0:
            return None
        sealed, self._incoming = self._incoming[2 : 2 + size], self._incoming[2 + size :]
        return sealed

    def _prove_untrusted(self, sealed: bytes) -> Proven:
        secret, hello = self._open_hello_untrusted(sealed)
        self._check(hello)
        if self._role == LISTENER:
            self._nonce = hello.nonce
            self._outgoing += self._sealed_hello(secret)
        seal, opening = self._direction_keys(secret, hello)
        self._fresh = b""
        newest = min(hello.versions & 15, NEWEST_VERSION)
        return Proven(hello.node, hello.exchange, newest, secret.number, seal, opening, self._incoming)

    def _sealed_hello(self, secret: MeshSecret) -> bytes:
        keys, fresh = self._keys, self._sealer.agreeing_public(self._fresh)
        versions = OLDEST_VERSION << 4 | NEWEST_VERSION
        body = _Hello(versions, keys.node, keys.exchange, fresh, self._nonce, self._mine, self._yours).body()
        signature = self._sealer.sign(keys.node_secret, self._signed(secret, self._role, body))
        sealed = self._sealer.aead_seal(self._hello_key(secret), _role_nonce(self._role), body + signature, b"")
        return len(sealed).to_bytes(2, "big") + sealed

    def _open_hello_untrusted(self, sealed: bytes) -> tuple[MeshSecret, _Hello]:
        """A HELLO under one of our secrets (a listener tries all), signed by the node key it names."""
        far_role = DIALLER if self._role == LISTENER else LISTENER
        for secret in self._mesh.secrets if self._role == LISTENER else self._mesh.secrets[:1]:
            plaintext = self._sealer.aead_open(self._hello_key(secret), _role_nonce(far_role), sealed, b"")
            if plaintext is not None:
                hello = _read_hello_untrusted(plaintext)
                signed = self._signed(secret, far_role, plaintext[:-SIGNATURE_SIZE])
                if not self._sealer.verify(hello.node, signed, hello.signature):
                    raise SignatureError("a HELLO is not signed by the node it names")
                return secret, hello
        raise SignatureError("a peer does not know the mesh")

    def _check(self, hello: _Hello) -> None:
        if (hello.mine, hello.yours) != (self._yours, self._mine):
            raise WireError("a HELLO was made for another connection")
        if self._role == DIALLER and hello.nonce != self._nonce:
            raise WireError("a HELLO answers another one")
        if hello.node == self._keys.node:
            raise WireError("the far end is this node itself")
        if hello.versions >> 4 > NEWEST_VERSION or hello.versions & 15 < OLDEST_VERSION:
            raise WireError("a peer speaks no version that we do")

    def _direction_keys(self, secret: MeshSecret, hello: _Hello) -> tuple[RecordSeal, RecordOpen]:
        lasting = self._sealer.agree(self._keys.exchange_secret, hello.exchange)
        fleeting = self._sealer.agree(self._fresh, hello.fresh)
        if lasting is None or fleeting is None:
            raise WireError("a HELLO holds a key of small order")
        nodes = (self._keys.node, hello.node) if self._role == DIALLER else (hello.node, self._keys.node)
        shared = lasting + fleeting + self._round + self._nonce + nodes[0] + nodes[1]
        mine, yours = (
            keyed(secret.session, b"mn-records-v1", shared + bytes((r,))) for r in (self._role, 1 - self._role)
        )
        return RecordSeal(self._sealer, mine), RecordOpen(self._sealer, yours)

    def _hello_key(self, secret: MeshSecret) -> bytes:
        return keyed(secret.session, b"mn-hello-seal", self._round)

    def _signed(self, secret: MeshSecret, role: int, body: bytes) -> bytes:
        return b"mn-session-sig" + secret.id + bytes((role,)) + self._round + body


def _read_hello_untrusted(data: bytes) -> _Hello:
    cursor = Cursor(data, "a HELLO")
    versions, node = cursor.number(1), NodeKey(cursor.take(KEY_SIZE))
    exchange, fresh, nonce = cursor.take(KEY_SIZE), cursor.take(KEY_SIZE), cursor.take(_ROUND_SIZE)
    mine, yours = cursor.take(cursor.number(1)), cursor.take(cursor.number(1))
    hello = _Hello(versions, node, exchange, fresh, nonce, mine, yours, cursor.take(SIGNATURE_SIZE))
    cursor.end()
    return hello


def _role_nonce(role: int) -> bytes:
    return bytes((role,)) + bytes(NONCE_SIZE - 1)
