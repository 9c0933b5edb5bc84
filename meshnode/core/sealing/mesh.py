"""The keys of a mesh: from one secret, a subkey for each use, never shared between uses (protocol rule 2.2).

A node holds up to three secrets under numbers 0 to 3. It seals with the current one and opens with any, so that
removing a member is a new secret to those who stay. What neighbours must agree on whichever secret is current, the id
of the mesh and the key of its digests, stays that of the first secret (docs/decisions/new-mesh-secret.md). The mesh key
is a group key: it keeps outsiders out, and proves nothing about which member speaks.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from meshnode.core.ids import MeshId, hashed, keyed
from meshnode.core.sealing.primitives import KEY_SIZE, stretch
from meshnode.errors import UsageError

MAX_SECRETS = 3
HIGHEST_NUMBER = 3
ROOTS_SIZE = 8 + KEY_SIZE


@dataclass(frozen=True, slots=True)
class MeshSecret:
    """One numbered secret and what follows from it. `ygg` is the multicast password of an own Yggdrasil, in hex."""

    number: int
    secret: bytes = field(repr=False)
    id: MeshId = field(init=False)
    link: bytes = field(init=False, repr=False)
    digest: bytes = field(init=False, repr=False)
    session: bytes = field(init=False, repr=False)
    parcel: bytes = field(init=False, repr=False)
    ygg: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_SIZE or not 0 <= self.number <= HIGHEST_NUMBER:
            raise UsageError("a mesh secret is 32 bytes under a number from 0 to 3")
        derive = object.__setattr__
        derive(self, "id", MeshId(keyed(self.secret, b"mn-mesh-id", size=8)))
        derive(self, "link", keyed(self.secret, b"mn-link-v1"))
        derive(self, "digest", keyed(self.secret, b"mn-digest-v1"))
        derive(self, "session", keyed(self.secret, b"mn-session-v1"))
        derive(self, "parcel", keyed(self.secret, b"mn-parcel-v1"))
        derive(self, "ygg", keyed(self.secret, b"mn-ygg-v1").hex())


@dataclass(frozen=True, slots=True)
class Roots:
    """What a mesh keeps when its secret changes: its id, and the subkey of digests and reconciliation."""

    id: MeshId
    digest: bytes = field(repr=False)

    def encode(self) -> bytes:
        """As a home and an invite carry it."""
        return self.id + self.digest


def read_roots(data: bytes) -> Roots | None:
    """The roots out of a home or an invite; None where there are none: the secret beside them is the first."""
    if not data:
        return None
    if len(data) != ROOTS_SIZE:
        raise UsageError(f"the roots of a mesh are {ROOTS_SIZE} bytes")
    return Roots(MeshId(data[:8]), data[8:])


@dataclass(frozen=True, slots=True)
class MeshKeys:
    """A mesh as one node knows it. `secrets[0]` is the current one. `open`: whoever knows the name is in.

    Without `roots` the oldest of the secrets is the mesh's first.
    """

    name: str
    secrets: tuple[MeshSecret, ...]
    open: bool = False
    roots: Roots | None = None

    def __post_init__(self) -> None:
        numbers = {secret.number for secret in self.secrets}
        if not 0 < len(self.secrets) <= MAX_SECRETS or len(numbers) != len(self.secrets):
            raise UsageError("a mesh has one to three secrets, each under its own number")
        if self.roots is None:
            object.__setattr__(self, "roots", _roots_of(self.secrets[-1]))

    @property
    def current(self) -> MeshSecret:
        """The secret to seal with."""
        return self.secrets[0]

    @property
    def id(self) -> MeshId:
        """Names the mesh on the link."""
        return self._roots.id

    @property
    def link(self) -> bytes:
        """Subkey of datagrams and pairwise keys."""
        return self.current.link

    @property
    def digest(self) -> bytes:
        """Subkey of frontier digests and reconciliation."""
        return self._roots.digest

    @property
    def carried_roots(self) -> bytes:
        """What an invite must say beside the current secret; nothing while that is the first one."""
        return b"" if self._roots == _roots_of(self.current) else self.kept_roots

    @property
    def kept_roots(self) -> bytes:
        """What a home keeps beside the secrets, whichever of them is the first."""
        return self._roots.encode()

    @property
    def session(self) -> bytes:
        """Subkey of session handshakes."""
        return self.current.session

    @property
    def parcel(self) -> bytes:
        """Subkey of parcels."""
        return self.current.parcel

    @property
    def ygg(self) -> str:
        """Multicast password of an own Yggdrasil, in hex; empty in an open mesh, where anyone could compute it."""
        return "" if self.open else self.current.ygg

    @property
    def _roots(self) -> Roots:
        return self.roots or _roots_of(self.secrets[-1])

    def numbered(self, number: int) -> MeshSecret | None:
        """The secret of that number, if held."""
        for secret in self.secrets:
            if secret.number == number:
                return secret
        return None


def _roots_of(secret: MeshSecret) -> Roots:
    return Roots(secret.id, secret.digest)


def open_mesh(name: str) -> MeshKeys:
    """A mesh whose key comes from its name: it keeps meshes apart, and nobody out (rule 1.3)."""
    return MeshKeys(name, (MeshSecret(0, hashed(b"mn-open-v1", name.encode())),), open=True)


def closed_mesh(name: str, secret: bytes, number: int = 0, roots: bytes = b"") -> MeshKeys:
    """A mesh with a secret of 32 random bytes; with the roots of an earlier one if it is not the first."""
    return MeshKeys(name, (MeshSecret(number, secret),), roots=read_roots(roots))


def with_secret(mesh: MeshKeys, number: int, secret: bytes) -> MeshKeys:
    """The mesh with a new current secret; the oldest goes when there are too many."""
    kept = tuple(held for held in mesh.secrets if held.number != number)
    return MeshKeys(mesh.name, (MeshSecret(number, secret), *kept)[:MAX_SECRETS], roots=mesh.roots)


def with_next(mesh: MeshKeys, number: int, secret: bytes) -> MeshKeys:
    """The mesh with a new secret that is held and not spoken yet; as in `with_secret` the oldest may go."""
    return with_current(with_secret(mesh, number, secret), mesh.current.number)


def with_current(mesh: MeshKeys, number: int) -> MeshKeys:
    """The mesh with another of its secrets as the current one."""
    ahead = tuple(held for held in mesh.secrets if held.number == number)
    return replace(mesh, secrets=ahead + tuple(held for held in mesh.secrets if held.number != number))


def without_secret(mesh: MeshKeys, number: int) -> MeshKeys:
    """The mesh with an old secret dropped, at the end of the overlap."""
    return MeshKeys(mesh.name, tuple(held for held in mesh.secrets if held.number != number), mesh.open, mesh.roots)


def secret_from_passphrase(name: str, passphrase: str) -> bytes:
    """A mesh secret from what a person types: half a second of Argon2id against guessing."""
    return stretch(passphrase, hashed(b"mn-mesh-salt", name.encode(), 16))
