"""Mesh keys: one label for one use, equal for who holds the secret, different for everyone else."""

from __future__ import annotations

import pytest

from meshnode.core.sealing.mesh import (
    MeshKeys,
    MeshSecret,
    closed_mesh,
    open_mesh,
    secret_from_passphrase,
    with_current,
    with_next,
    with_secret,
    without_secret,
)
from meshnode.errors import UsageError

SECRET = bytes(range(32))


def subkeys(mesh: MeshKeys) -> tuple[bytes, ...]:
    return (mesh.id, mesh.link, mesh.digest, mesh.session, mesh.parcel, mesh.current.ygg.encode())


def test_every_use_has_its_own_key() -> None:
    mesh = closed_mesh("hill", SECRET)
    assert len({key[:8] for key in subkeys(mesh)} | {SECRET[:8]}) == 7
    assert len(mesh.id) == 8
    assert len(mesh.ygg) == 64


def test_the_secret_decides_and_not_the_name() -> None:
    assert subkeys(closed_mesh("hill", SECRET)) == subkeys(closed_mesh("dale", SECRET, number=2))
    assert not set(subkeys(closed_mesh("hill", SECRET))) & set(subkeys(closed_mesh("hill", bytes(32))))


def test_an_open_mesh_follows_from_its_name() -> None:
    assert open_mesh("public") == open_mesh("public")
    assert open_mesh("public").id != open_mesh("Public").id
    assert open_mesh("public").open
    assert not closed_mesh("hill", SECRET).open


def test_an_open_mesh_has_no_overlay_password_that_anyone_could_compute() -> None:
    assert open_mesh("public").ygg == ""


def test_a_typed_secret_depends_on_words_and_name() -> None:
    secret = secret_from_passphrase("hill", "three blind mice")
    assert len(secret) == 32
    assert secret == secret_from_passphrase("hill", "three blind mice")
    assert secret != secret_from_passphrase("dale", "three blind mice")


def test_no_secret_is_shown() -> None:
    mesh = closed_mesh("hill", SECRET)
    for key in (SECRET, *subkeys(mesh)[1:]):
        assert repr(key)[2:-1] not in repr(mesh)


def test_a_fourth_secret_pushes_out_the_oldest() -> None:
    mesh = closed_mesh("hill", SECRET)
    for number in (1, 2, 3):
        mesh = with_secret(mesh, number, bytes((number,)) * 32)
    assert [secret.number for secret in mesh.secrets] == [3, 2, 1]
    assert mesh.current.number == 3
    assert mesh.numbered(0) is None
    assert mesh.numbered(2) == MeshSecret(2, b"\2" * 32)


def test_the_next_secret_is_held_and_not_spoken() -> None:
    mesh = with_next(closed_mesh("hill", SECRET), 1, b"\1" * 32)
    assert [held.number for held in mesh.secrets] == [0, 1]
    assert mesh.numbered(1) is not None


def test_a_number_names_one_secret() -> None:
    mesh = with_secret(closed_mesh("hill", SECRET), 0, b"\1" * 32)
    assert [secret.secret for secret in mesh.secrets] == [b"\1" * 32]


def test_the_old_secret_is_dropped_after_the_overlap() -> None:
    mesh = without_secret(with_secret(closed_mesh("hill", SECRET), 1, b"\1" * 32), 0)
    assert [secret.number for secret in mesh.secrets] == [1]
    with pytest.raises(UsageError, match="one to three"):
        without_secret(mesh, 1)


def test_id_and_digests_stay_those_of_the_first_secret() -> None:
    mesh = first = closed_mesh("hill", SECRET)
    assert first.carried_roots == b""
    for number in (1, 2, 3, 0):
        mesh = with_secret(mesh, number, bytes((number + 1,)) * 32)
        assert (mesh.id, mesh.digest) == (first.id, first.digest)
        assert mesh.link == mesh.current.link != first.link
    newcomer = closed_mesh("hill", mesh.current.secret, mesh.current.number, mesh.carried_roots)
    assert (newcomer.id, newcomer.digest, newcomer.link) == (first.id, first.digest, mesh.link)
    assert with_current(mesh, 2).current.number == 2
    with pytest.raises(UsageError, match="40 bytes"):
        closed_mesh("hill", SECRET, 1, b"short")


@pytest.mark.parametrize(("number", "secret"), [(4, SECRET), (-1, SECRET), (0, SECRET[1:]), (0, b"")])
def test_odd_secrets_are_refused(number: int, secret: bytes) -> None:
    with pytest.raises(UsageError):
        closed_mesh("hill", secret, number)


def test_two_secrets_of_one_number_are_refused() -> None:
    with pytest.raises(UsageError):
        MeshKeys("hill", (MeshSecret(0, SECRET), MeshSecret(0, bytes(32))))
