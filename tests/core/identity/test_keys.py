"""Keys of a home: made, kept, read back, renewed, and never shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.identity.certificate import issue_certificate, read_certificate_untrusted
from meshnode.core.identity.keys import Keys, decode_keys_untrusted, encode_keys, new_keys, with_new_incarnation
from meshnode.core.ids import PersonaKey
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.errors import WireError
from support.sealed import flip

SEALER = SeededSealer(1)
KEYS = new_keys(SEALER, SeededEntropy(1))
SECRETS = ("persona_secret", "device_secret", "node_secret", "exchange_secret")


def test_what_is_written_is_read_back() -> None:
    assert decode_keys_untrusted(encode_keys(KEYS), SEALER) == KEYS


def test_keys_of_a_second_device_hold_no_root() -> None:
    without_root = replace(KEYS, persona_secret=b"")
    assert decode_keys_untrusted(encode_keys(without_root), SEALER) == without_root


def test_each_draw_makes_another_person() -> None:
    other = new_keys(SEALER, SeededEntropy(2))
    for name in ("persona", "device", "node", "exchange", "incarnation", *SECRETS):
        assert getattr(other, name) != getattr(KEYS, name)


def test_no_key_is_derived_from_another() -> None:
    publics = {SEALER.signing_public(getattr(KEYS, name)) for name in SECRETS}
    publics |= {SEALER.agreeing_public(getattr(KEYS, name)) for name in SECRETS}
    assert len({getattr(KEYS, name) for name in SECRETS}) == 4
    assert len(publics) == 8


def test_the_certificate_names_persona_and_device() -> None:
    keys = new_keys(SEALER, SeededEntropy(3), issued=77)
    certificate = read_certificate_untrusted(keys.certificate, SEALER)
    assert (certificate.persona, certificate.device, certificate.issued) == (keys.persona, keys.device, 77)


def test_a_restored_device_stays_who_it_was_on_a_new_node() -> None:
    restored = with_new_incarnation(KEYS, SEALER, SeededEntropy(9))
    same = ("persona", "persona_secret", "device", "device_secret", "certificate")
    assert all(getattr(restored, name) == getattr(KEYS, name) for name in same)
    new = ("incarnation", "node", "node_secret", "exchange", "exchange_secret")
    assert all(getattr(restored, name) != getattr(KEYS, name) for name in new)
    assert decode_keys_untrusted(encode_keys(restored), SEALER) == restored


def test_no_secret_is_ever_shown() -> None:
    shown = repr(KEYS) + str(KEYS)
    for name in SECRETS:
        assert repr(getattr(KEYS, name)) not in shown
        assert getattr(KEYS, name).hex() not in shown


@given(st.integers(0, 8 * len(encode_keys(KEYS)) - 1))
def test_a_flipped_bit_never_gives_the_same_keys_nor_a_crash(bit: int) -> None:
    try:
        read = decode_keys_untrusted(flip(encode_keys(KEYS), bit), SEALER)
    except WireError:
        return
    assert read != KEYS
    assert (read.persona, read.device) == (KEYS.persona, KEYS.device)


@given(st.binary(max_size=400))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(WireError):
        decode_keys_untrusted(noise, SEALER)


def test_every_truncation_and_any_surplus_is_refused() -> None:
    data = encode_keys(KEYS)
    for size in range(len(data)):
        with pytest.raises(WireError):
            decode_keys_untrusted(data[:size], SEALER)
    with pytest.raises(WireError, match="left over"):
        decode_keys_untrusted(data + b"\0", SEALER)


def test_a_newer_key_file_is_refused_with_a_sentence() -> None:
    with pytest.raises(WireError, match="newer meshnode"):
        decode_keys_untrusted(b"\x02" + encode_keys(KEYS)[1:], SEALER)


def test_keys_that_do_not_belong_together_are_refused() -> None:
    stranger = new_keys(SEALER, SeededEntropy(2))
    mixed: tuple[Keys, ...] = (
        replace(KEYS, certificate=stranger.certificate),
        replace(KEYS, persona_secret=stranger.persona_secret),
        replace(KEYS, persona=PersonaKey(stranger.persona)),
        replace(KEYS, certificate=issue_certificate(SEALER, KEYS.persona, KEYS.persona_secret, stranger.device)),
    )
    for keys in mixed:
        with pytest.raises(WireError, match="do not belong together"):
            decode_keys_untrusted(encode_keys(keys), SEALER)
