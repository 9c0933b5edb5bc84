"""Shared answers are the real answers, a forgery is still a forgery, and the work is charged either way."""

from __future__ import annotations

import pytest

from meshnode_sim.sealing import ChargingSealer, Costs, Memo

SECRET, OTHER = b"\x01" * 32, b"\x02" * 32
COSTS = Costs(verify=5, sign=3, agree=2, hpke=7, step=0)


@pytest.mark.parametrize("memo", [None, Memo()], ids=["real", "shared"])
def test_answers_and_charges(memo: Memo | None) -> None:
    sealer = ChargingSealer("seed", COSTS, memo)
    public = sealer.signing_public(SECRET)
    signature = sealer.sign(SECRET, b"word")
    assert sealer.spent_ns == 3
    for _ in range(2):
        assert sealer.verify(public, b"word", signature)
        assert not sealer.verify(public, b"w0rd", signature)
        assert not sealer.verify(public, b"word", signature[:-1] + b"\xff")
        assert not sealer.verify(sealer.signing_public(OTHER), b"word", signature)
        assert not sealer.verify(public + b"w", b"ord", signature)
    assert sealer.spent_ns == 3 + 10 * 5
    mine, theirs = sealer.agreeing_public(SECRET), sealer.agreeing_public(OTHER)
    assert sealer.agree(SECRET, theirs) == sealer.agree(OTHER, mine) is not None
    assert sealer.agree(SECRET, bytes(32)) is None
    assert sealer.spent_ns == 3 + 10 * 5 + 3 * 2


def test_the_answer_is_computed_once_for_all_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    memo = Memo()
    one, other = (ChargingSealer(seed, COSTS, memo) for seed in "ab")
    public, signature = one.signing_public(SECRET), one.sign(SECRET, b"word")
    assert one.verify(public, b"word", signature)
    monkeypatch.setattr("meshnode.core.sealing.seeded.SeededSealer.verify", lambda *args: False)
    assert other.verify(public, b"word", signature)
    assert not other.verify(public, b"other", signature)


@pytest.mark.parametrize("memo", [Memo(), None])
def test_a_datagram_opens_under_its_key_nonce_and_label_only(memo: Memo | None) -> None:
    sealer = ChargingSealer("seed", COSTS, memo)
    key, nonce = bytes(32), bytes(12)
    sealed = sealer.aead_seal(key, nonce, b"word", b"label")
    for _ in range(2):
        assert sealer.aead_open(key, nonce, sealed, b"label") == b"word"
        assert sealer.aead_open(key, nonce, sealed, b"other") is None
        assert sealer.aead_open(key, nonce + b"", sealed[:-1], b"label") is None
        assert sealer.aead_open(b"\x01" * 32, nonce, sealed, b"label") is None


def test_what_one_node_sealed_no_other_has_to_open(monkeypatch: pytest.MonkeyPatch) -> None:
    memo = Memo()
    one, other = (ChargingSealer(seed, COSTS, memo) for seed in "ab")
    sealed = one.aead_seal(bytes(32), bytes(12), b"word", b"label")
    monkeypatch.setattr("meshnode.core.sealing.seeded.SeededSealer.aead_open", lambda *args: b"opened")
    assert other.aead_open(bytes(32), bytes(12), sealed, b"label") == b"word"
    assert other.aead_open(bytes(32), bytes(12), sealed, b"other") == b"opened"


def test_prekeys_open_what_was_sealed_to_them() -> None:
    sealer = ChargingSealer("seed", COSTS, None)
    secret, public = sealer.new_prekey()
    sealed = sealer.hpke_seal(public, b"info", b"word")
    assert sealer.hpke_open(secret, b"info", sealed) == b"word"
    assert sealer.spent_ns == 14
