"""Records in a row: order, gaps and the true end are sealed; and parcels, which are made of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.sealing.mesh import MeshKeys, closed_mesh, with_secret
from meshnode.core.sealing.parcel import ParcelOpen, begin_parcel, begin_parcel_for
from meshnode.core.sealing.primitives import RealSealer
from meshnode.core.sealing.records import MAX_RECORD, RECORD_OVERHEAD, RecordOpen, RecordSeal
from meshnode.core.sealing.seeded import SeededEntropy
from meshnode.errors import SignatureError, UsageError, WireError
from support.sealed import flip

SEALER = RealSealer()
KEY = bytes(range(32))
MESH = closed_mesh("hill", KEY)
PREKEY, PUBLIC = SEALER.new_prekey()


def sealed(*plaintexts: bytes, final: bool = True) -> list[bytes]:
    seal = RecordSeal(SEALER, KEY)
    last = len(plaintexts) - 1
    return [seal.seal(plaintext, final=final and i == last) for i, plaintext in enumerate(plaintexts)]


def opened(data: bytes) -> list[bytes]:
    return list(RecordOpen(SEALER, KEY).feed_untrusted(data))


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=8), st.integers(1, 400))
def test_records_come_back_however_the_bytes_are_cut(plaintexts: list[bytes], step: int) -> None:
    data, opening = b"".join(sealed(*plaintexts)), RecordOpen(SEALER, KEY)
    got = [record for i in range(0, len(data), step) for record in opening.feed_untrusted(data[i : i + step])]
    assert got == plaintexts
    assert opening.finished


def test_a_record_costs_nineteen_bytes() -> None:
    assert len(sealed(b"x" * 100)[0]) == 100 + RECORD_OVERHEAD == 119


def test_the_largest_record_passes_and_nothing_larger() -> None:
    largest = b"x" * MAX_RECORD
    assert opened(sealed(largest)[0]) == [largest]
    with pytest.raises(UsageError):
        sealed(largest + b"x")
    for size in (MAX_RECORD + 17, 15, 0):
        with pytest.raises(WireError, match="too short or too long"):
            opened(size.to_bytes(3, "big"))


def test_a_dropped_doubled_or_swapped_record_does_not_pass() -> None:
    a, b, c = sealed(b"a", b"b", b"c")
    for stream in (b + c, a + c, a + a + b + c, a + c + b, b + a + c):
        with pytest.raises(SignatureError):
            opened(stream)


def test_a_stream_cut_short_is_not_finished() -> None:
    records = sealed(b"a", b"b", b"c")
    for cut in range(len(b"".join(records))):
        opening = RecordOpen(SEALER, KEY)
        got = list(opening.feed_untrusted(b"".join(records)[:cut]))
        assert got == [b"a", b"b", b"c"][: len(got)]
        assert not opening.finished


def test_nothing_follows_the_final_record() -> None:
    seal = RecordSeal(SEALER, KEY)
    data = seal.seal(b"end", final=True)
    with pytest.raises(UsageError):
        seal.seal(b"more")
    with pytest.raises(WireError, match="after the final"):
        opened(data + sealed(b"a")[0])


def test_the_end_cannot_be_forged_nor_taken_away() -> None:
    middle, last = sealed(b"a", b"b")
    for record, stream in ((middle, flip(middle, 7)), (last, middle + flip(last, 7))):
        assert record
        with pytest.raises(SignatureError):
            opened(stream)


@given(st.integers(0, 8 * 60 - 1))
def test_any_flipped_bit_is_refused_or_waits_for_more(bit: int) -> None:
    opening = RecordOpen(SEALER, KEY)
    try:
        assert list(opening.feed_untrusted(flip(sealed(b"x" * 41)[0], bit))) == []
    except WireError:
        return
    assert not opening.finished


def test_what_was_good_before_a_bad_record_is_kept() -> None:
    a, b = sealed(b"a", b"b")
    records = RecordOpen(SEALER, KEY).feed_untrusted(a + flip(b, 40))
    assert next(records) == b"a"
    with pytest.raises(SignatureError):
        next(records)


# parcels


def parcel(*chunks: bytes, mesh: MeshKeys = MESH, personal: bool = False) -> bytes:
    entropy = SeededEntropy(1)
    head, seal = begin_parcel_for(SEALER, entropy, PUBLIC) if personal else begin_parcel(SEALER, entropy, mesh)
    return head + b"".join(seal.seal(chunk) for chunk in chunks) + seal.seal(b"", final=True)


def feed(opening: ParcelOpen, data: bytes, step: int) -> Iterator[bytes]:
    for i in range(0, len(data), step):
        yield from opening.feed_untrusted(data[i : i + step])


@pytest.mark.parametrize("personal", [False, True], ids=["mesh", "contact"])
@pytest.mark.parametrize("step", [1, 50, 100_000])
def test_a_parcel_comes_back(personal: bool, step: int) -> None:
    data = parcel(b"blocks", b"x" * 5000, personal=personal)
    opening = ParcelOpen(SEALER, MESH, [SEALER.new_prekey()[0], PREKEY])
    assert list(feed(opening, data, step)) == [b"blocks", b"x" * 5000, b""]
    assert opening.finished


def test_a_parcel_for_one_contact_needs_no_mesh() -> None:
    opening = ParcelOpen(SEALER, closed_mesh("dale", bytes(32)), [PREKEY])
    assert list(opening.feed_untrusted(parcel(b"x", personal=True))) == [b"x", b""]


def test_a_found_parcel_tells_nothing() -> None:
    with pytest.raises(SignatureError):
        list(ParcelOpen(SEALER, closed_mesh("hill", bytes(32)), [PREKEY]).feed_untrusted(parcel(b"x")))
    numbered = closed_mesh("hill", KEY, number=2)
    with pytest.raises(SignatureError, match="another mesh"):
        ParcelOpen(SEALER, MESH).feed_untrusted(parcel(b"x", mesh=numbered))
    with pytest.raises(SignatureError, match="somebody else"):
        ParcelOpen(SEALER, MESH, [SEALER.new_prekey()[0]]).feed_untrusted(parcel(b"x", personal=True))


def test_an_older_parcel_opens_during_the_overlap() -> None:
    renewed = with_secret(MESH, 1, bytes(32))
    assert list(ParcelOpen(SEALER, renewed).feed_untrusted(parcel(b"x"))) == [b"x", b""]


@pytest.mark.parametrize("personal", [False, True], ids=["mesh", "contact"])
def test_a_parcel_cut_short_keeps_what_opened_and_says_so(personal: bool) -> None:
    data = parcel(b"a", b"b", personal=personal)
    for size in range(0, len(data), 7):
        opening = ParcelOpen(SEALER, MESH, [PREKEY])
        got = list(opening.feed_untrusted(data[:size]))
        assert got == [b"a", b"b"][: len(got)]
        assert not opening.finished
    assert list(ParcelOpen(SEALER, MESH).feed_untrusted(b"")) == []


@pytest.mark.parametrize("personal", [False, True], ids=["mesh", "contact"])
@given(bit=st.integers(0, 8 * 1250))
def test_any_flipped_bit_in_a_parcel_is_refused(personal: bool, bit: int) -> None:
    opening = ParcelOpen(SEALER, MESH, [PREKEY])
    data = flip(parcel(b"blocks", personal=personal), bit)
    got = []
    try:
        for record in opening.feed_untrusted(data):
            got.append(record)
    except WireError:
        pass
    assert got in ([], [b"blocks"])
    assert not opening.finished


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda noise: b"\x08" + noise))
def test_noise_is_no_parcel(noise: bytes) -> None:
    opening = ParcelOpen(SEALER, MESH, [PREKEY])
    try:
        assert list(opening.feed_untrusted(noise)) == []
    except WireError:
        pass
    assert not opening.finished
