"""Secrets on disk open with the right passphrase, key or row, and with nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.sealing.atrest import (
    StoreKey,
    needs_passphrase_untrusted,
    open_by_key_untrusted,
    open_by_passphrase_untrusted,
    seal_by_key,
    seal_by_passphrase,
)
from meshnode.core.sealing.primitives import RealSealer
from meshnode.core.sealing.seeded import SeededEntropy
from meshnode.errors import SignatureError, WireError
from support.sealed import flip

SEALER = RealSealer()
KEY = bytes(range(32))
BY_KEY = seal_by_key(SEALER, SeededEntropy(1), b"keys", KEY)
BY_PASSPHRASE = seal_by_passphrase(SEALER, SeededEntropy(1), b"keys", "drei blinde Mäuse")


def test_a_key_file_opens_it() -> None:
    assert open_by_key_untrusted(SEALER, BY_KEY, KEY) == b"keys"
    assert not needs_passphrase_untrusted(BY_KEY)
    with pytest.raises(SignatureError, match="key does not fit"):
        open_by_key_untrusted(SEALER, BY_KEY, bytes(32))


def test_a_passphrase_opens_it() -> None:
    assert open_by_passphrase_untrusted(SEALER, BY_PASSPHRASE, "drei blinde Mäuse") == b"keys"
    assert needs_passphrase_untrusted(BY_PASSPHRASE)
    with pytest.raises(SignatureError, match="passphrase does not fit"):
        open_by_passphrase_untrusted(SEALER, BY_PASSPHRASE, "drei blinde Mause")


def test_the_wrong_way_is_named() -> None:
    with pytest.raises(WireError, match="sealed with a key file"):
        open_by_passphrase_untrusted(SEALER, BY_KEY, "x")
    with pytest.raises(WireError, match="sealed with a passphrase"):
        open_by_key_untrusted(SEALER, BY_PASSPHRASE, KEY)


@given(st.integers(0, 8 * len(BY_KEY) - 1))
def test_any_flipped_bit_is_refused(bit: int) -> None:
    with pytest.raises(WireError):
        open_by_key_untrusted(SEALER, flip(BY_KEY, bit), KEY)


def test_a_file_cut_short_is_refused() -> None:
    for size in range(len(BY_KEY)):
        with pytest.raises(WireError):
            open_by_key_untrusted(SEALER, BY_KEY[:size], KEY)
    for size in (0, 1, 2, 17):
        with pytest.raises(WireError):
            open_by_passphrase_untrusted(SEALER, BY_PASSPHRASE[:size], "drei blinde Mäuse")


def test_a_newer_file_is_refused() -> None:
    with pytest.raises(WireError, match="newer meshnode"):
        needs_passphrase_untrusted(b"\2" + BY_KEY[1:])


@given(st.binary(max_size=100))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(WireError):
        open_by_key_untrusted(SEALER, noise, KEY)


def test_a_column_opens_in_its_own_row_only() -> None:
    store = StoreKey(SEALER, SeededEntropy(1), KEY)
    sealed = store.seal(b"soup", b"message/1/text")
    assert len(sealed) == 4 + 28
    assert store.open_untrusted(sealed, b"message/1/text") == b"soup"
    for other, row in ((store, b"message/2/text"), (StoreKey(SEALER, SeededEntropy(1), bytes(32)), b"message/1/text")):
        with pytest.raises(SignatureError):
            other.open_untrusted(sealed, row)


@given(st.binary(max_size=60))
def test_column_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(SignatureError):
        StoreKey(SEALER, SeededEntropy(1), KEY).open_untrusted(noise, b"row")


def test_equal_columns_look_different() -> None:
    store = StoreKey(SEALER, SeededEntropy(1), KEY)
    assert store.seal(b"soup", b"row") != store.seal(b"soup", b"row")
