"""Which secrets of a mesh a home holds, and which of them it speaks: how members are removed (protocol rule 2.7).

renew   a new secret is held, its invite goes to all who stay: they `join` and hold it, too
use     once all hold it, each speaks it, in any order
drop    once all speak it, each lets go of the old one: whoever has no other is outside

In each of the three steps any two nodes understand each other, one step apart (docs/decisions/new-mesh-secret.md). A
node that runs starts its parts anew when something changes here, and so acts upon it at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from meshnode.core.identity.invite import MeshInvite
from meshnode.core.ports import Entropy
from meshnode.core.sealing.mesh import (
    HIGHEST_NUMBER,
    MeshKeys,
    closed_mesh,
    open_mesh,
    with_current,
    with_next,
    with_secret,
    without_secret,
)
from meshnode.daemon.keyring import Keyring
from meshnode.errors import UsageError


def joined(held: Keyring, invite: MeshInvite) -> MeshKeys:
    """The mesh of an invite as a member holds it then: a later secret of a mesh known here joins the earlier ones."""
    if invite.secret is None:
        return open_mesh(invite.name)
    if invite.name not in held.meshes or _another(held.mesh(invite.name), invite):
        return closed_mesh(invite.name, invite.secret, invite.number, invite.roots)
    take = with_next if invite.early else with_secret
    return take(held.mesh(invite.name), invite.number, invite.secret)


def _another(known: MeshKeys, invite: MeshInvite) -> bool:
    """Another mesh of the same name: its roots differ, or what it has under a number that is held here."""
    twin = known.numbered(invite.number)
    return bool(invite.roots and invite.roots != known.kept_roots) or (
        twin is not None and twin.secret != invite.secret
    )


class Home(Protocol):
    """What a home does for its membership."""

    entropy: Entropy

    @property
    def mesh(self) -> MeshKeys:
        """The mesh as it is kept now."""
        ...

    def join(self, invite: MeshInvite) -> MeshKeys:
        """Take an invite."""
        ...

    def keep_mesh(self, mesh: MeshKeys) -> None:
        """Write what is held of a mesh."""
        ...


def _unheard() -> None:
    return None


class Membership:
    """The mesh a home is in. `on_change` is called when what is held of it, or spoken, is no longer the same."""

    def __init__(self, home: Home, on_change: Callable[[], None] = _unheard) -> None:
        self._home = home
        self._on_change = on_change

    @property
    def mesh(self) -> MeshKeys:
        """As it is kept now."""
        return self._home.mesh

    def join(self, invite: MeshInvite) -> MeshKeys:
        """Become a member, or take a later secret; the mesh of the invite as it is held then."""
        before, mesh = self.mesh, self._home.join(invite)
        if mesh != before:
            self._on_change()
        return mesh

    def renew(self) -> MeshInvite:
        """Hold a new secret. While one is held that nobody speaks yet, that one, so that all get the same."""
        mesh = self._closed()
        number = (mesh.current.number + 1) % (HIGHEST_NUMBER + 1)
        if mesh.numbered(number) is None:
            mesh = with_next(mesh, number, self._home.entropy.take("mesh", 32))
            self._keep(mesh)
        secret = next(one.secret for one in mesh.secrets if one.number == number)
        return MeshInvite(mesh.name, secret, number, mesh.kept_roots, early=True)

    def use(self, number: int) -> None:
        """Speak one of the secrets that are held."""
        mesh = self._with(number)
        if mesh.current.number != number:
            self._keep(with_current(mesh, number))

    def drop(self, number: int) -> None:
        """Let go of a secret that is not spoken."""
        mesh = self._with(number)
        if mesh.current.number == number:
            raise UsageError(f"secret {number} is the one that is spoken; `meshnode mesh use` another first")
        self._keep(without_secret(mesh, number))

    def _keep(self, mesh: MeshKeys) -> None:
        self._home.keep_mesh(mesh)
        self._on_change()

    def _with(self, number: int) -> MeshKeys:
        mesh = self._closed()
        if mesh.numbered(number) is None:
            numbers = ", ".join(str(one.number) for one in mesh.secrets)
            raise UsageError(f"no secret {number} of the mesh {mesh.name} is held here; there is {numbers}")
        return mesh

    def _closed(self) -> MeshKeys:
        if self.mesh.open:
            raise UsageError(f"the mesh {self.mesh.name} is open: it has no secret, whoever knows the name is in")
        return self.mesh
