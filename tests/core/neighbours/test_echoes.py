"""Echoes: only the neighbour itself can say that it hears us, and only once, in that very datagram."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.ids import NeighbourId, NodeKey
from meshnode.core.neighbours.echoes import (
    BOUND_FOR_S,
    MAX_ECHOES,
    MAX_HEARD,
    SEALED_SINCE,
    OwnBeacons,
    choose_echoes,
    echo_hash,
    echoes_to,
    echoes_us,
    note_echoes,
    seal_echoes,
)
from meshnode.core.neighbours.neighbour import NEVER, Neighbour, Presence
from meshnode.core.sealing.pair import sealed_echo
from meshnode.core.wire.frames import Beacon, Echo

ME = NeighbourId(b"me....")
SAID_IN = b"sender" + bytes(6)


def nonce(counter: int, sender: bytes = ME) -> bytes:
    return sender + b"\0\0\1" + counter.to_bytes(3, "big")


def beacon(*echoes: Echo, newest: int = SEALED_SINCE) -> Beacon:
    return Beacon(1, newest, 0, bytes(8), bytes(4), echoes)


def sender(key: bytes = b"key of the two") -> Neighbour:
    return Neighbour(NeighbourId(b"sender"), NodeKey(bytes(32)), key=key)


def ours(*counters: int) -> OwnBeacons:
    beacons = OwnBeacons()
    for counter in counters:
        beacons.sent(nonce(counter), float(counter))
    return beacons


def hears_us(said: Beacon, neighbour: Neighbour, beacons: OwnBeacons) -> bool:
    return echoes_us(said, echoes_to(said, ME), SAID_IN, neighbour, beacons)


def test_our_last_beacons_are_known_by_their_hash() -> None:
    beacons = ours(*range(6))
    assert beacons.sent_at(echo_hash(nonce(5))) == 5.0
    assert not beacons.holds(echo_hash(nonce(9)))
    beacons.sent(nonce(6), 1000.0)
    assert not beacons.holds(echo_hash(nonce(2)))
    assert beacons.holds(echo_hash(nonce(3))), "the last four count however old"


def test_an_echo_under_the_key_of_the_two_counts_whichever_secret_is_current() -> None:
    for key in (b"key of the two", b"the next one"):
        said = beacon(Echo(b"xx", b"??"), Echo(ME[:2], sealed_echo(key, nonce(5), SAID_IN)))
        neighbour = sender()
        neighbour.other_keys = (b"the next one",)
        assert hears_us(said, neighbour, ours(4, 5, 6))
        assert neighbour.seals_echoes


def test_an_echo_of_somebody_elses_or_an_old_beacon_or_to_another_says_nothing() -> None:
    sealed = sealed_echo(b"key of the two", nonce(5), SAID_IN)
    for said in (beacon(), beacon(Echo(b"xx", sealed)), beacon(Echo(ME[:2], sealed))):
        assert not hears_us(said, sender(), ours(4, 6))


@given(key=st.binary(min_size=1, max_size=32), said_in=st.binary(min_size=12, max_size=12))
def test_another_key_or_another_datagram_makes_another_echo(key: bytes, said_in: bytes) -> None:
    """Two bytes may agree by chance: over four beacons they do not."""
    made = [sealed_echo(key, nonce(number), said_in) for number in range(4)]
    true = [sealed_echo(b"key of the two", nonce(number), SAID_IN) for number in range(4)]
    assert (made == true) == ((key, said_in) == (b"key of the two", SAID_IN))


def test_whoever_guesses_has_two_tries_in_a_beacon() -> None:
    """As many as can be meant: of two neighbours whose names begin with the same 2 B each gets its own."""
    true, lie = Echo(ME[:2], sealed_echo(b"key of the two", nonce(5), SAID_IN)), Echo(ME[:2], b"??")
    assert hears_us(beacon(lie, true), sender(), ours(5))
    assert not hears_us(beacon(lie, lie, true), sender(), ours(5))


def test_the_echo_of_version_1_counts_until_the_first_one_that_is_sealed() -> None:
    plain, neighbour = Echo(ME[:2], echo_hash(nonce(5))), sender()
    assert hears_us(beacon(plain, newest=1), neighbour, ours(5))
    assert not neighbour.seals_echoes
    assert not hears_us(beacon(plain), neighbour, ours(5)), "who speaks version 2 seals it"
    sealed = Echo(ME[:2], sealed_echo(neighbour.key, nonce(5), SAID_IN))
    assert hears_us(beacon(sealed), neighbour, ours(5))
    assert not hears_us(beacon(plain, newest=1), neighbour, ours(5))


def heard(name: bytes, key: bytes, *, newest: int = SEALED_SINCE, echoed_at: float = NEVER) -> Neighbour:
    neighbour = Neighbour(NeighbourId(name), NodeKey(bytes(32)), key=key, newest=newest)
    presence = Presence("a", 0.0, last_beacon_nonce=nonce(7, name), last_beacon_at=0.0, echoed_at=echoed_at)
    neighbour.presences["l"] = presence
    return neighbour


def test_each_echo_is_sealed_for_the_one_it_is_for_or_left_plain_for_version_1() -> None:
    new, old, gone = heard(b"aa....", b"a"), heard(b"bb....", b"b", newest=1), Echo(b"zz", b"??")
    chosen = (*choose_echoes([new, old], "l", 1.0), gone)
    sealed = seal_echoes(beacon(*chosen), SAID_IN, [new, old], "l")
    assert sealed.echoes == (
        Echo(b"aa", sealed_echo(b"a", nonce(7, b"aa...."), SAID_IN)),
        Echo(b"bb", echo_hash(nonce(7, b"bb...."))),
        gone,
    )
    old.seals_echoes = True
    claimed = seal_echoes(beacon(*chosen), SAID_IN, [new, old], "l").echoes[1]
    assert claimed.nonce == sealed_echo(b"b", nonce(7, b"bb...."), SAID_IN), "nobody talks it back to version 1"


def test_of_two_with_the_same_two_bytes_each_gets_its_own() -> None:
    one, other = heard(b"aa...1", b"1"), heard(b"aa...2", b"2")
    both = seal_echoes(beacon(*choose_echoes([one, other], "l", 1.0)), SAID_IN, [one, other], "l")
    want = [sealed_echo(key, nonce(7, name), SAID_IN) for key, name in ((b"1", b"aa...1"), (b"2", b"aa...2"))]
    assert [echo.nonce for echo in both.echoes] == want
    alone = seal_echoes(beacon(*choose_echoes([other], "l", 2.0)), SAID_IN, [one, other], "l")
    assert [echo.nonce for echo in alone.echoes] == want[1:]


def test_what_a_neighbour_hears_is_forgotten_in_time_and_bounded() -> None:
    presence = Presence("a", 0.0)
    note_echoes(presence, [Echo(b"aa", b"..")], 0.0)
    note_echoes(presence, [Echo(b"bb", b"..")], 1.0)
    assert presence.echoes == (b"aa", b"bb")
    note_echoes(presence, [], BOUND_FOR_S + 0.5)
    assert presence.echoes == (b"bb",)
    note_echoes(presence, [Echo(i.to_bytes(2, "big"), b"..") for i in range(MAX_HEARD + 9)], 700.0)
    assert len(presence.echoes) == MAX_HEARD


def test_echoes_rotate() -> None:
    table = [heard(bytes([index]) * 6, b"k") for index in range(12)]
    table.append(Neighbour(NeighbourId(b"silent"), NodeKey(bytes(32)), presences={"l": Presence("a", 0.0)}))
    first, second = choose_echoes(table, "l", 1.0), choose_echoes(table, "l", 2.0)
    assert len(first) == len(second) == MAX_ECHOES
    assert {echo.neighbour for echo in first + second} == {n.id[:2] for n in table[:12]}
