"""Varints: shortest form only, never past their limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.chain.varint import MAX_VARINT, take_varint, varint
from meshnode.errors import WireError


@given(st.integers(0, MAX_VARINT), st.binary(max_size=3))
def test_every_value_comes_back(value: int, after: bytes) -> None:
    encoded = varint(value)
    assert take_varint(b"\xff" + encoded + after, 1) == (value, 1 + len(encoded))


@pytest.mark.parametrize("long_form", [b"\x80\x00", b"\x81\x00", b"\xff\x80\x00"])
def test_a_longer_form_is_refused(long_form: bytes) -> None:
    with pytest.raises(WireError):
        take_varint(long_form, 0)


def test_five_bytes_are_refused() -> None:
    with pytest.raises(WireError):
        take_varint(b"\xff\xff\xff\xff\x01", 0)


@pytest.mark.parametrize("short", [b"", b"\x80", b"\xff\xff"])
def test_the_end_of_the_bytes_is_an_index_error(short: bytes) -> None:
    with pytest.raises(IndexError):
        take_varint(short, 0)
