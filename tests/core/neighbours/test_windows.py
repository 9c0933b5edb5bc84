"""Replay windows: each datagram passes once, and whoever talks in another's name shuts out nothing of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.ids import NeighbourId, NodeKey
from meshnode.core.neighbours.windows import MAX_STRANGERS, PERSIST_EVERY, REMEMBERED, Windows
from meshnode.core.records import NeighbourRecord
from meshnode.core.sealing.link import WINDOW, LinkHeader

NAME = NeighbourId(b"sender")


def header(counter: int, epoch: int = 1, *, pairwise: bool = False) -> LinkHeader:
    return LinkHeader(pairwise, 0, NAME, epoch, counter)


def said(windows: Windows, counter: int, epoch: int = 1, *, by: bytes = b"") -> bool:
    """Its owner, or whoever else, says something under the mesh key; another text gives another tag."""
    tag = by or bytes([epoch]) + counter.to_bytes(3, "big")
    return windows.accept(header(counter, epoch), tag)


def for_us(windows: Windows, counter: int, epoch: int = 1) -> bool:
    return windows.accept(header(counter, epoch, pairwise=True), b"")


def known() -> Windows:
    windows = Windows()
    windows.sign(NAME, 1)
    return windows


def restored(counter: int = 10, window: int = 1) -> Windows:
    windows = Windows()
    windows.restore(NeighbourRecord(NAME, NodeKey(bytes(32)), bytes(32), 1, counter, window, 0.0))
    return windows


def test_a_datagram_passes_once() -> None:
    windows = Windows()
    assert windows.sign(NAME, 1) is not None
    assert windows.sign(NAME, 1) is None
    for say in (said, for_us):
        assert say(windows, 1)
        assert not say(windows, 1)
        assert say(windows, 5)
        assert say(windows, 3)
    windows.sign(NAME, 2)
    assert said(windows, 1, 2)
    assert for_us(windows, 1, 2)
    assert not said(windows, 9, 1)
    assert not for_us(windows, 9, 1)


def test_strangers_have_no_window_and_are_forgotten_in_time() -> None:
    windows = Windows()
    assert said(windows, 1)
    assert said(windows, 1)
    first = windows.stranger(NeighbourId(bytes(6)))
    assert windows.stranger(NeighbourId(bytes(6))) is first
    for index in range(1, MAX_STRANGERS + 1):
        windows.stranger(NeighbourId(index.to_bytes(6, "big")))
    assert windows.stranger(NeighbourId(bytes(6))) is not first


def test_an_epoch_counts_once_its_owner_vouched_for_it() -> None:
    windows = known()
    assert said(windows, 5, 9)
    assert not windows.knows(header(5, epoch=9))
    assert said(windows, 1), "who claimed epoch 9 closed nothing"
    windows.stranger(NAME).beacon_nonce = b"nonce"
    stranger = windows.sign(NAME, 2)
    assert stranger is not None
    assert stranger.beacon_nonce == b"nonce"
    assert windows.knows(header(0, epoch=2))


@given(st.lists(st.tuples(st.integers(0, (1 << 24) - 1), st.booleans()), max_size=200))
def test_whatever_is_said_in_its_name_the_owner_is_heard(lies: list[tuple[int, bool]]) -> None:
    """Under any counter, also under the very one that the owner uses next; which vouches for itself now and then."""
    windows, counter = known(), 0
    for number, (claimed, speaks) in enumerate(lies):
        said(windows, claimed, by=b"lie" + bytes([number]))
        said(windows, counter, by=b"LIE" + bytes([number]))
        if speaks:
            assert said(windows, counter)
            if number % 3 == 0:
                windows.vouch(header(counter))
            counter += 1
            assert for_us(windows, counter)
            counter += 1
    assert windows.written(NAME).counter <= counter, "the disk keeps what nobody else can move"


@given(st.lists(st.integers(0, 300), max_size=200))
def test_what_its_owner_said_is_never_taken_twice_while_it_vouches(counters: list[int]) -> None:
    windows, heard = known(), set()
    for counter in counters:
        assert not (said(windows, counter) and counter in heard)
        heard.add(counter)
        windows.vouch(header(counter))


def test_a_recording_goes_round_in_vain() -> None:
    """Without any key: what was heard since its owner vouched for itself last, again and again."""
    windows = known()
    windows.vouch(header(0))
    for counter in range(REMEMBERED):
        assert said(windows, counter)
    assert not any(said(windows, counter) for _ in range(2) for counter in range(REMEMBERED))


def test_what_lies_far_below_a_sealed_echo_is_closed() -> None:
    windows = known()
    assert said(windows, 1000)
    windows.vouch(header(1000))
    assert not said(windows, 1000 - WINDOW)
    assert said(windows, 1001 - WINDOW)


def test_a_pairwise_datagram_opens_again_what_a_lucky_guess_had_closed() -> None:
    windows = known()
    windows.vouch(header(1_000_000))
    assert not said(windows, 5)
    assert for_us(windows, 6)
    assert said(windows, 7)
    assert windows.written(NAME).counter == 6


def test_the_disk_hears_of_a_window_now_and_then() -> None:
    windows = known()
    assert windows.lags(NAME)
    assert windows.written(NAME).bits == 0
    for_us(windows, 1)
    assert windows.written(NAME).counter == 1
    said(windows, 5000)
    windows.vouch(header(PERSIST_EVERY))
    assert not windows.lags(NAME)
    windows.vouch(header(PERSIST_EVERY + 1))
    assert windows.lags(NAME)
    assert windows.written(NAME).counter == PERSIST_EVERY + 1
    windows.sign(NAME, 2)
    assert windows.lags(NAME)
    windows.forget(NAME)
    assert said(windows, 1)


def test_an_echo_of_this_boot_closes_what_lay_before() -> None:
    windows = restored()
    assert not said(windows, 10)
    assert said(windows, 100)
    assert said(windows, 98)
    windows.vouch(header(100))
    assert not said(windows, 99), "recorded before our reboot, perhaps"
    assert not for_us(windows, 100)
    assert said(windows, 101)
    assert said(windows, 103)
    windows.vouch(header(103))
    assert said(windows, 102), "closed once only"
    assert for_us(windows, 102)


def test_an_echo_does_not_open_again_what_was_heard_for_us_alone() -> None:
    windows = restored()
    for counter in (20, 30):
        assert for_us(windows, counter)
    windows.vouch(header(25))
    windows.vouch(header(25))
    assert not for_us(windows, 30)
    assert for_us(windows, 31)


def test_a_neighbour_that_never_spoke_is_restored_with_all_before_it() -> None:
    windows = restored(counter=0, window=0)
    assert said(windows, 0)
    assert for_us(windows, 0)
