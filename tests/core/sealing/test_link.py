"""Datagrams on the link: who can open them, what tampering does, and what is heard once only."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.ids import EnvelopeId, NeighbourId, NodeKey, neighbour_id
from meshnode.core.sealing.link import (
    COUNTER_END,
    EPOCH_END,
    LINK_OVERHEAD,
    MAX_DATAGRAM,
    WINDOW,
    LinkSeal,
    ReplayWindow,
    peek_untrusted,
)
from meshnode.core.sealing.mesh import MeshKeys, closed_mesh, open_mesh, with_secret, without_secret
from meshnode.core.sealing.pair import custody_mac, pair_key
from meshnode.core.sealing.primitives import RealSealer
from meshnode.errors import SignatureError, UsageError, WireError
from support.sealed import flip

SEALER = RealSealer()
MESH = closed_mesh("hill", bytes(range(32)))
ADA, BO, CY = (neighbour_id(NodeKey(bytes((i,)) * 32), MESH.id) for i in (1, 2, 3))
PAIR = b"\5" * 32


def seal(mesh: MeshKeys = MESH, me: NeighbourId = ADA, epoch: int = 3) -> LinkSeal:
    return LinkSeal(SEALER, mesh, me, epoch)


def opened(
    data: bytes, *, multicast: bool, me: NeighbourId = BO, pair: bytes | None = None, mesh: MeshKeys = MESH
) -> bytes:
    return seal(mesh, me).open_untrusted(data, peek_untrusted(data), multicast, me, pair)


def test_a_multicast_opens_for_every_member() -> None:
    data = seal().seal_multicast(b"beacon")
    assert opened(data, multicast=True) == opened(data, multicast=True, me=CY) == b"beacon"


def test_the_overhead_is_29_bytes() -> None:
    for data in (seal().seal_multicast(b"x" * 100), seal().seal_unicast(b"x" * 100, BO, PAIR)):
        assert len(data) == 100 + LINK_OVERHEAD == 129


def test_the_header_tells_sender_epoch_and_counter() -> None:
    link = seal(epoch=0x010203)
    link.seal_multicast(b"")
    header = peek_untrusted(link.seal_unicast(b"", BO, PAIR))
    assert (header.sender, header.epoch, header.counter) == (ADA, 0x010203, 1)
    assert (header.pairwise, header.number) == (True, 0)


def test_a_unicast_opens_for_its_receiver_only() -> None:
    mesh_sealed = seal().seal_unicast(b"want", BO, None)
    assert opened(mesh_sealed, multicast=False) == b"want"
    pair_sealed = seal().seal_unicast(b"want", BO, PAIR)
    assert opened(pair_sealed, multicast=False, pair=PAIR) == b"want"
    for data in (mesh_sealed, pair_sealed):
        with pytest.raises(SignatureError):
            opened(data, multicast=False, me=CY, pair=PAIR)


def test_a_node_not_met_yet_can_be_written_to() -> None:
    data = seal().seal_unicast(b"hello", None, None)
    assert opened(data, multicast=False) == opened(data, multicast=False, me=CY) == b"hello"
    with pytest.raises(SignatureError):
        opened(data, multicast=True)


def test_multicast_cannot_be_passed_off_as_unicast_nor_the_reverse() -> None:
    link = seal()
    for data, multicast in ((link.seal_multicast(b"x"), False), (link.seal_unicast(b"x", BO, None), True)):
        with pytest.raises(SignatureError):
            opened(data, multicast=multicast)


def test_a_pairwise_datagram_needs_the_pairwise_key() -> None:
    data = seal().seal_unicast(b"x", BO, PAIR)
    for pair in (None, b"\6" * 32):
        with pytest.raises(SignatureError):
            opened(data, multicast=False, pair=pair)


def test_an_outsider_opens_nothing() -> None:
    data = seal().seal_multicast(b"x")
    for mesh in (closed_mesh("hill", bytes(32)), open_mesh("hill")):
        with pytest.raises(SignatureError):
            opened(data, multicast=True, mesh=mesh)


@given(st.integers(0, 8 * (LINK_OVERHEAD + 6) - 1), st.booleans())
def test_any_flipped_bit_is_refused(bit: int, pairwise: bool) -> None:
    link = seal()
    data = link.seal_unicast(b"beacon", BO, PAIR) if pairwise else link.seal_multicast(b"beacon")
    with pytest.raises(WireError):
        opened(flip(data, bit), multicast=not pairwise, pair=PAIR if pairwise else None)


@given(st.binary(max_size=LINK_OVERHEAD + 40))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(WireError):
        opened(noise, multicast=True)


@pytest.mark.parametrize("size", [0, LINK_OVERHEAD - 1, MAX_DATAGRAM + 1, 1_000_000])
def test_sizes_are_checked_first(size: int) -> None:
    with pytest.raises(WireError, match="too short or too long"):
        peek_untrusted(b"\x08" * size)


def test_another_version_is_refused() -> None:
    with pytest.raises(WireError, match="version"):
        peek_untrusted(flip(seal().seal_multicast(b""), 7))


def test_a_new_secret_is_sealed_with_while_the_old_still_opens() -> None:
    renewed = with_secret(MESH, 1, b"\7" * 32)
    old, new = seal().seal_multicast(b"old"), seal(renewed).seal_multicast(b"new")
    assert (peek_untrusted(old).number, peek_untrusted(new).number) == (0, 1)
    assert opened(old, multicast=True, mesh=renewed) == b"old"
    assert opened(new, multicast=True, mesh=renewed) == b"new"
    with pytest.raises(SignatureError):
        opened(new, multicast=True)
    with pytest.raises(SignatureError, match="not held"):
        opened(old, multicast=True, mesh=without_secret(renewed, 0))


def test_no_nonce_comes_twice() -> None:
    link = seal()
    nonces = {link.seal_multicast(b"")[1:13] for _ in range(50)} | {
        link.seal_unicast(b"", BO, PAIR)[1:13] for _ in range(50)
    }
    link.raise_epoch(4)
    nonces.add(link.seal_multicast(b"")[1:13])
    assert len(nonces) == 101


def test_a_spent_epoch_must_be_raised_before_sealing_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshnode.core.sealing.link.COUNTER_END", 2)
    link = seal(epoch=5)
    spent = []
    for _ in range(2):
        spent.append(link.spent)
        link.seal_multicast(b"")
    assert [*spent, link.spent] == [False, False, True]
    with pytest.raises(UsageError, match="persist"):
        link.seal_multicast(b"")
    for wrong in (5, 4, EPOCH_END):
        with pytest.raises(UsageError):
            link.raise_epoch(wrong)
    link.raise_epoch(6)
    header = peek_untrusted(link.seal_multicast(b""))
    assert (header.epoch, header.counter) == (6, 0)


def test_counter_and_epoch_fit_three_bytes() -> None:
    assert COUNTER_END == EPOCH_END == 1 << 24


# replay window


def hear(window: ReplayWindow, epoch: int, counter: int) -> bool:
    fresh = window.fresh(epoch, counter)
    if fresh:
        window.accept(epoch, counter)
    return fresh


def test_what_was_heard_is_not_fresh_again() -> None:
    window = ReplayWindow()
    assert hear(window, 0, 0)
    assert not hear(window, 0, 0)
    assert hear(window, 0, 5)
    assert hear(window, 0, 3)
    assert not hear(window, 0, 3)
    assert not hear(window, 0, 5)


def test_an_older_epoch_is_never_fresh_and_a_newer_one_starts_anew() -> None:
    window = ReplayWindow(4, 100, 1)
    assert not window.fresh(3, 10**6)
    assert hear(window, 5, 0)
    assert not hear(window, 4, 101)
    assert (window.epoch, window.counter, window.bits) == (5, 0, 1)


def test_what_is_too_old_to_tell_is_refused() -> None:
    window = ReplayWindow()
    assert hear(window, 1, 1000)
    assert hear(window, 1, 1000 - WINDOW + 1)
    assert not hear(window, 1, 1000 - WINDOW)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 200)), max_size=80))
def test_the_window_is_a_set_with_a_short_memory(heard: list[tuple[int, int]]) -> None:
    window, seen = ReplayWindow(), set[tuple[int, int]]()
    highest = (0, 0)
    for epoch, counter in heard:
        old = epoch < highest[0] or (epoch == highest[0] and counter <= highest[1] - WINDOW)
        assert hear(window, epoch, counter) == (not old and (epoch, counter) not in seen)
        seen.add((epoch, counter))
        highest = max(highest, (epoch, counter))
        assert window.bits < 1 << WINDOW


def test_a_window_goes_on_after_a_restart() -> None:
    window = ReplayWindow()
    for counter in (4, 9, 7):
        hear(window, 2, counter)
    restored = ReplayWindow(window.epoch, window.counter, window.bits)
    assert [restored.fresh(2, counter) for counter in (4, 5, 7, 9, 10)] == [False, True, False, False, True]


# pairwise keys


def test_both_neighbours_derive_the_same_key() -> None:
    a, b = bytes(range(32)), bytes(range(32, 64))
    derive = partial(pair_key, SEALER, MESH.link)
    key = derive(a, SEALER.agreeing_public(b), ADA, BO)
    assert key is not None
    assert key == derive(b, SEALER.agreeing_public(a), BO, ADA)
    others = {
        pair_key(SEALER, open_mesh("x").link, a, SEALER.agreeing_public(b), ADA, BO),
        derive(a, SEALER.agreeing_public(b), ADA, CY),
        derive(a, SEALER.agreeing_public(a), ADA, BO),
    }
    assert key not in others
    assert len(others) == 3
    assert derive(a, bytes(32), ADA, BO) is None


def test_a_custody_proof_is_for_one_envelope_and_one_taker() -> None:
    one, two = EnvelopeId(b"\1" * 16), EnvelopeId(b"\2" * 16)
    proofs = {
        custody_mac(PAIR, one, BO),
        custody_mac(PAIR, two, BO),
        custody_mac(PAIR, one, CY),
        custody_mac(bytes(32), one, BO),
    }
    assert len(proofs) == 4
    assert {len(proof) for proof in proofs} == {8}
