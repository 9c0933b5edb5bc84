"""A mesh gets a new secret by the commands of its members: held first, then spoken, then alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshnode.core.identity.invite import MeshInvite, mesh_uri, read_invite_untrusted
from meshnode.core.sealing.mesh import MeshKeys, closed_mesh, open_mesh
from meshnode.daemon.home import Home, create_home, open_home
from meshnode.daemon.membership import Membership
from meshnode.errors import UsageError


def held(mesh: MeshKeys) -> list[int]:
    """Numbers of the secrets, the one that is spoken first."""
    return [one.number for one in mesh.secrets]


def invited(home: Home) -> MeshInvite:
    """The invite of `mesh renew`, as it arrives elsewhere."""
    made = Membership(home).renew()
    read = read_invite_untrusted(mesh_uri(made.name, made.secret, made.number, made.roots, early=made.early))
    assert isinstance(read, MeshInvite)
    return read


def test_a_secret_is_renewed_step_by_step_and_nothing_else_changes(tmp_path: Path) -> None:
    valley = closed_mesh("valley", b"1" * 32)
    with create_home(tmp_path / "a", "Ada", valley) as a, create_home(tmp_path / "b", "Bo", valley) as b:
        invite = invited(a)
        assert invited(a) == invite, "all who stay get the same"
        assert held(b.join(invite)) == [0, 1]
        for home in (a, b):
            Membership(home).use(1)
            Membership(home).drop(0)
    with open_home(tmp_path / "a") as a, open_home(tmp_path / "b") as b:
        assert held(a.mesh) == held(b.mesh) == [1]
        assert a.mesh.current.secret == b.mesh.current.secret == invite.secret
        assert a.mesh.id == b.mesh.id == valley.id
        assert a.mesh.digest == b.mesh.digest == valley.digest


def test_numbers_come_round_and_the_oldest_goes(tmp_path: Path) -> None:
    with create_home(tmp_path / "a", "Ada", closed_mesh("valley", b"1" * 32)) as home:
        for number in (1, 2, 3, 0, 1):
            assert invited(home).number == number
            Membership(home).use(number)
        assert held(home.mesh) == [1, 0, 3]
        assert invited(home).number == 2
        assert held(home.mesh) == [1, 2, 0]


def test_a_later_invite_that_everybody_speaks_already_is_spoken_at_once(tmp_path: Path) -> None:
    with create_home(tmp_path / "a", "Ada", closed_mesh("valley", b"1" * 32)) as home:
        roots = home.mesh.kept_roots
        assert held(home.join(MeshInvite("valley", b"2" * 32, 1, roots))) == [1, 0]


@pytest.mark.parametrize("roots", [b"", bytes(range(40))])
def test_another_mesh_of_the_same_name_takes_the_place_of_ours(tmp_path: Path, roots: bytes) -> None:
    """Two people made a mesh called valley each: who joins the other's must hear them."""
    theirs = closed_mesh("valley", b"2" * 32, 0, roots)
    with create_home(tmp_path / "a", "Ada", closed_mesh("valley", b"1" * 32)) as home:
        home.join(MeshInvite("valley", b"2" * 32, 0, roots))
    with open_home(tmp_path / "a") as home:
        assert home.mesh.id == theirs.id
        assert held(home.mesh) == [0]


def test_what_cannot_be_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with create_home(tmp_path / "a", "Ada", closed_mesh("valley", b"1" * 32)) as home:
        membership = Membership(home)
        with pytest.raises(UsageError, match=r"no secret 1 .* is held here; there is 0"):
            membership.use(1)
        with pytest.raises(UsageError, match="secret 0 is the one that is spoken"):
            membership.drop(0)
    with create_home(tmp_path / "b", "Bo", open_mesh("public")) as home, pytest.raises(UsageError, match="is open"):
        Membership(home).renew()
