"""The worked airtimes of 802.11ah, and the limits that shape what fits one transmission."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.air.airtime import (
    BITS_PER_SYMBOL,
    OVERHEAD,
    PlainRate,
    S1gRate,
    ack_ns,
    fragments,
    group_ns,
    psdu_octets,
    unicast_ns,
)
from meshnode.errors import UsageError

WORKED = [
    # octets, MHz, MCS, symbols, long GI us, short GI us
    (100, 1, 0, 68, 3280, 3012),
    (100, 2, 0, 32, 1520, 1396),
    (14, 1, 0, 11, 1000, 960),
    (14, 2, 0, 5, 440, 424),
    (256, 1, 10, 344, 14320, 12948),
    (256, 1, 0, 172, 7440, 6756),
    (256, 2, 0, 80, 3440, 3124),
    (256, 2, 7, 8, 560, 532),
    (511, 1, 10, 684, 27920, 25188),
    (511, 4, 7, 8, 560, 532),
    (511, 8, 7, 4, 400, 388),
    (1488, 1, 2, 332, 13840, None),
    (1488, 2, 0, 459, 18600, None),
    (5952, 2, 7, 184, 7600, None),
    (11904, 4, 7, 177, 7320, None),
    (11904, 8, 7, 82, 3520, None),
    (23808, 8, 7, 163, 6760, None),
]
MODES = [S1gRate(width, mcs) for width, column in BITS_PER_SYMBOL.items() for mcs in column]
RATES = [*MODES, PlainRate(300_000), PlainRate(1_000_000), PlainRate(4_000_000)]


@pytest.mark.parametrize(("octets", "width", "mcs", "symbols", "long_us", "short_us"), WORKED)
def test_worked_airtimes(octets: int, width: int, mcs: int, symbols: int, long_us: int, short_us: int | None) -> None:
    assert S1gRate(width, mcs).symbols(octets) == symbols
    assert S1gRate(width, mcs).ppdu_ns(octets) == long_us * 1000
    if short_us is not None:
        assert S1gRate(width, mcs, short_gi=True).ppdu_ns(octets) == short_us * 1000


@pytest.mark.parametrize(
    ("width", "mcs", "limit"),
    [(1, 0, 764), (1, 1, 1531), (1, 2, 2297), (1, 9, 10218), (1, 10, 511), (2, 0, 1659), (8, 5, 59785), (8, 6, 65535)],
)
def test_the_largest_transmission(width: int, mcs: int, limit: int) -> None:
    assert S1gRate(width, mcs).psdu_limit == limit


@pytest.mark.parametrize(
    ("width", "mcs", "short_gi", "bps"),
    [(1, 0, False, 300_000), (1, 2, True, 1_000_000), (2, 7, True, 7_222_222), (8, 9, False, 39_000_000)],
)
def test_rates(width: int, mcs: int, short_gi: bool, bps: int) -> None:
    assert S1gRate(width, mcs, short_gi).bps == bps


def test_a_plain_rate_has_the_limit_of_the_mode_it_resembles() -> None:
    assert PlainRate(300_000).psdu_limit == S1gRate(1, 0).psdu_limit


def test_a_plain_rate_takes_preamble_and_bits() -> None:
    assert PlainRate(1_000_000).ppdu_ns(256) == 560_000 + (8 * 256 + 14) * 1000


def test_the_whole_exchange_of_one_frame() -> None:
    # 256 octets at 2 MHz MCS0: 316 + 390 + 3440 + 6 + 160 + 240 + 6 us
    assert unicast_ns(256 - OVERHEAD, S1gRate(2, 0)) == 4_558_000
    assert group_ns(256 - OVERHEAD, S1gRate(2, 0)) == (316 + 390 + 3440 + 6) * 1000


def test_an_acknowledgement_is_a_preamble() -> None:
    assert ack_ns(S1gRate(1, 3)) == (160 + 560 + 6) * 1000
    assert ack_ns(S1gRate(8, 3)) == (160 + 240 + 6) * 1000


@pytest.mark.parametrize(("rate", "count"), [(S1gRate(1, 0), 2), (S1gRate(1, 1), 1), (S1gRate(1, 10), 3)])
def test_the_smallest_ipv6_packet_is_fragmented_where_it_does_not_fit(rate: S1gRate, count: int) -> None:
    assert len(fragments(1280, rate)) == count


@given(payload=st.integers(1, 3000), rate=st.sampled_from(RATES))
def test_fragments_carry_all_and_each_fits(payload: int, rate: S1gRate | PlainRate) -> None:
    pieces = fragments(payload, rate)
    assert sum(pieces) == payload + 8 + 30 * len(pieces)
    assert all(psdu_octets(piece) <= rate.psdu_limit for piece in pieces)


@given(octets=st.integers(1, 500), rate=st.sampled_from(RATES))
def test_more_octets_never_take_less_time(octets: int, rate: S1gRate | PlainRate) -> None:
    assert rate.ppdu_ns(octets) <= rate.ppdu_ns(octets + 1)


@pytest.mark.parametrize(("width", "mcs"), [(2, 9), (3, 0), (1, 11), (4, 10)])
def test_modes_that_do_not_exist_are_refused(width: int, mcs: int) -> None:
    with pytest.raises(UsageError, match=f"no MCS {mcs} at {width} MHz"):
        S1gRate(width, mcs)


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="carries nothing"):
        PlainRate(0)


def test_what_is_aggregated_has_a_delimiter() -> None:
    assert [psdu_octets(mpdu) for mpdu in (511, 512)] == [511, 516]
