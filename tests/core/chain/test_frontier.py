"""Marks, the digest, and the keyed handles of a round."""

from __future__ import annotations

import pytest

from meshnode.core.chain import frontier as module
from meshnode.core.chain.frontier import Element, Round, frontier_digest, put_mark, take_element, take_mark
from meshnode.core.ids import LogId, keyed

KEY = b"d" * 32
LOGS = [LogId(bytes([number]) * 52) for number in range(20)]


@pytest.mark.parametrize(("head", "forked"), [(0, False), (0, True), (5, True), (0x7FFFFF, False), (0x7FFFFF, True)])
def test_marks_come_back(head: int, forked: bool) -> None:
    mark = put_mark(head, forked)
    assert len(mark) == 3
    assert take_mark(mark) == (head, forked)


def test_the_digest_is_keyed_and_covers_every_element() -> None:
    encoded = [Element(log, 7, False).encode() for log in LOGS]
    digest = frontier_digest(KEY, encoded)
    assert digest == keyed(KEY, b"mn-front-v1", b"".join(encoded))[:8]
    assert frontier_digest(b"e" * 32, encoded) != digest
    assert frontier_digest(KEY, encoded[:-1]) != digest
    assert frontier_digest(KEY, [*encoded[:-1], Element(LOGS[-1], 7, True).encode()]) != digest


def test_handles_change_with_the_nonce() -> None:
    elements = [Element(log, 9, False) for log in LOGS]
    one, other = Round(KEY, b"aaaa", elements), Round(KEY, b"bbbb", elements)
    assert not set(one.by_handle) & set(other.by_handle)
    assert one.elements == sorted(one.elements)
    for element in one.elements:
        handle, head, forked = take_element(element)
        found = one.by_handle[handle]
        assert (found.head, found.forked) == (head, forked)
        assert one.handle_of(found.log) == handle == keyed(KEY, b"mn-elem-v1", b"aaaa" + found.log, 5)


def test_twins_within_a_round_are_told_by_full_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HANDLE_SIZE", 1)
    elements = [Element(LogId(number.to_bytes(52, "big")), 3, False) for number in range(200)]
    round_ = Round(KEY, b"aaaa", elements)
    assert len(round_.twins) + len(round_.by_handle) == 200
    assert len(set(round_.twins)) == len(round_.twins) > 2
    handles = [round_.handle_of(twin.log) for twin in round_.twins]
    assert not set(handles) & set(round_.by_handle)
    assert len(round_.elements) == len(round_.by_handle)
