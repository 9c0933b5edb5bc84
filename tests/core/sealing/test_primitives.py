"""The primitives: what must open opens, what must not does not, and Ed25519 is strict (protocol rule 4.1)."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnode.core.sealing.primitives import (
    HPKE_OVERHEAD,
    KEY_SIZE,
    NONCE_SIZE,
    PREKEY_SIZE,
    TAG_SIZE,
    ZERO_NONCE,
    RealSealer,
    stretch,
)
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.errors import WireError
from support.sealed import flip

ORDER = 2**252 + 27742317777372353535851937790883648493
REAL = RealSealer()
KEY = bytes(range(32))

# All encodings of points of order 1, 2, 4 and 8, canonical or not.
SMALL_ORDER = [
    bytes.fromhex(point)
    for point in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    )
]


@pytest.mark.parametrize("sealer", [RealSealer(), SeededSealer(1)], ids=["real", "seeded"])
@pytest.mark.parametrize("pair", ["aead", "stream"])
def test_a_seal_opens_under_its_key_nonce_and_data_only(sealer: RealSealer, pair: str) -> None:
    seal, opening = getattr(sealer, f"{pair}_seal"), getattr(sealer, f"{pair}_open")
    sealed = seal(KEY, ZERO_NONCE, b"soup", b"ad")
    assert len(sealed) == 4 + TAG_SIZE
    assert opening(KEY, ZERO_NONCE, sealed, b"ad") == b"soup"
    assert opening(bytes(32), ZERO_NONCE, sealed, b"ad") is None
    assert opening(KEY, b"\1" * NONCE_SIZE, sealed, b"ad") is None
    assert opening(KEY, ZERO_NONCE, sealed, b"da") is None
    for bit in range(8 * len(sealed)):
        assert opening(KEY, ZERO_NONCE, flip(sealed, bit), b"ad") is None
    for size in range(len(sealed)):
        assert opening(KEY, ZERO_NONCE, sealed[:size], b"ad") is None


@pytest.mark.parametrize("sealer", [RealSealer(), SeededSealer(1)], ids=["real", "seeded"])
def test_hpke_opens_for_its_prekey_and_info_only(sealer: RealSealer) -> None:
    (secret, public), (other, _) = sealer.new_prekey(), sealer.new_prekey()
    sealed = sealer.hpke_seal(public, b"info", b"soup")
    assert (len(secret), len(public), len(sealed)) == (KEY_SIZE, PREKEY_SIZE, 4 + HPKE_OVERHEAD)
    assert sealer.hpke_open(secret, b"info", sealed) == b"soup"
    assert sealer.hpke_open(other, b"info", sealed) is None
    assert sealer.hpke_open(secret, b"ofni", sealed) is None
    assert sealer.hpke_open(secret, b"info", sealed[: HPKE_OVERHEAD - 1]) is None
    assert sealer.hpke_open(secret, b"info", bytes(len(sealed))) is None
    assert sealer.hpke_seal(public, b"info", b"soup") != sealed
    for bit in range(0, 8 * len(sealed), 97):
        assert sealer.hpke_open(secret, b"info", flip(sealed, bit)) is None


@pytest.mark.parametrize("sealer", [RealSealer(), SeededSealer(1)], ids=["real", "seeded"])
def test_a_prekey_that_is_no_key_is_refused(sealer: RealSealer) -> None:
    _, public = sealer.new_prekey()
    for none in (b"", public[:-1], public + b"\0", bytes(PREKEY_SIZE)):
        with pytest.raises(WireError, match="prekey"):
            sealer.hpke_seal(none, b"info", b"soup")


def test_the_prekey_is_that_of_the_published_x_wing_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = bytes.fromhex("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26")
    monkeypatch.setattr("meshnode.core.sealing.primitives.randombytes", lambda size: seed[:size])
    secret, public = REAL.new_prekey()
    assert secret == seed
    assert public[:32].hex() == "e2236b35a8c24b39b10aa1323a96a919a2ced88400633a7b07131713fc14b2b5"


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300), st.integers(0, 511))
def test_a_signature_fits_one_message_and_one_key(seed: bytes, message: bytes, bit: int) -> None:
    signature, public = REAL.sign(seed, message), REAL.signing_public(seed)
    assert len(signature) == 64
    assert REAL.verify(public, message, signature)
    assert not REAL.verify(public, message + b"\0", signature)
    assert not REAL.verify(REAL.signing_public(KEY), message, signature)
    assert not REAL.verify(public, message, flip(signature, bit))


def test_wrong_sizes_verify_as_false() -> None:
    signature, public = REAL.sign(KEY, b"m"), REAL.signing_public(KEY)
    assert not REAL.verify(public[:-1], b"m", signature)
    assert not REAL.verify(public, b"m", signature[:-1])
    assert not REAL.verify(public, b"", signature + b"m")


def test_s_above_the_order_is_refused() -> None:
    signature, public = REAL.sign(KEY, b"m"), REAL.signing_public(KEY)
    s = int.from_bytes(signature[32:], "little")
    for factor in range(1, 15):
        high = s + factor * ORDER
        assert not REAL.verify(public, b"m", signature[:32] + high.to_bytes(32, "little"))


@pytest.mark.parametrize("point", SMALL_ORDER, ids=lambda point: point.hex()[:6])
def test_keys_of_small_order_are_refused(point: bytes) -> None:
    """For such a key R = A, S = 0 satisfies the equation for many messages, whatever they say."""
    for r in SMALL_ORDER:
        for message in (b"soup is ready", b"give Bo all my sheep"):
            assert not REAL.verify(point, message, r + bytes(32))


def test_this_is_why_the_other_library_does_not_do() -> None:
    forged = SMALL_ORDER[0] + bytes(32)
    key = Ed25519PublicKey.from_public_bytes(SMALL_ORDER[0])
    key.verify(forged, b"give Bo all my sheep")
    with pytest.raises(InvalidSignature):
        key.verify(SMALL_ORDER[5] + bytes(32), b"another R")


def test_both_sides_agree() -> None:
    mine, yours = bytes(range(32)), bytes(range(32, 64))
    assert REAL.agree(mine, REAL.agreeing_public(yours)) == REAL.agree(yours, REAL.agreeing_public(mine))


@pytest.mark.parametrize("public", [bytes(32), b"\1" + bytes(31), b"", bytes(31), b"\7" * 33])
def test_no_agreement_with_a_key_that_is_none(public: bytes) -> None:
    assert REAL.agree(KEY, public) is None


def test_a_passphrase_is_stretched_with_its_salt() -> None:
    salt = bytes(16)
    assert stretch("näh", salt) == stretch("näh", salt)
    assert len({stretch("näh", salt), stretch("nah", salt), stretch("näh", b"\1" * 16)}) == 3


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert SeededSealer("7").new_prekey() == SeededSealer(7).new_prekey()
    a, b = SeededSealer(7), SeededSealer(7)
    _, public = a.new_prekey()
    b.new_prekey()
    assert a.hpke_seal(public, b"i", b"p") == b.hpke_seal(public, b"i", b"p")
    assert SeededSealer(8).new_prekey() != SeededSealer(7).new_prekey()


def test_a_draw_for_one_purpose_moves_no_other() -> None:
    one, two = SeededEntropy(1), SeededEntropy(1)
    one.take("jitter", 8)
    assert one.take("root", 32) == two.take("root", 32)
    assert one.take("root", 32) != SeededEntropy(1).take("root", 32)


@given(st.integers(0, 2**32), st.floats(-1e6, 1e6), st.floats(0.001, 1e6))
@settings(max_examples=50)
def test_uniform_draws_stay_between(seed: int, low: float, width: float) -> None:
    entropy = SeededEntropy(seed)
    draws = [entropy.between("x", low, low + width) for _ in range(20)]
    assert all(low <= draw <= low + width for draw in draws)
    assert len(set(draws)) > 10
