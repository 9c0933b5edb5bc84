"""Certificates, removals and adopted branches: only the right key can make one, and any change shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.identity.adoption import adopt_branch, read_adoption_untrusted
from meshnode.core.identity.certificate import (
    CAN_POST,
    CERTIFICATE_SIZE,
    certificate_id,
    issue_certificate,
    lengthen,
    read_certificate_untrusted,
    read_revocation_untrusted,
    revoke_device,
    shorten,
)
from meshnode.core.identity.keys import new_keys
from meshnode.core.identity.statement import (
    ADOPTION,
    CERTIFICATE,
    MAX_STATEMENT,
    REVOCATION,
    statement_kind_untrusted,
)
from meshnode.core.ids import PERSON_CHANNEL, BlockId, Incarnation, log_id
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.errors import SignatureError, WireError
from support.sealed import flip

SEALER = SeededSealer(1)
ADA = new_keys(SEALER, SeededEntropy(1))
BO = new_keys(SEALER, SeededEntropy(2))
LOG = log_id(ADA.device, ADA.incarnation, PERSON_CHANNEL)
BLOCK = BlockId(bytes(range(32)))
OTHER_SECRET = bytes(range(32))  # of another device of Ada

CERT = issue_certificate(
    SEALER, ADA.persona, ADA.persona_secret, ADA.device, capabilities=CAN_POST, issued=5, expires=900
)
REMOVAL = revoke_device(
    SEALER, ADA.persona, ADA.persona_secret, ADA.device, incarnation=Incarnation(b"abcd"), seq=17, made=33
)
BRANCH = adopt_branch(SEALER, ADA.persona, ADA.persona_secret, LOG, 9, BLOCK, made=4)
READERS = {CERT: read_certificate_untrusted, REMOVAL: read_revocation_untrusted, BRANCH: read_adoption_untrusted}


def test_a_certificate_says_what_was_put_in() -> None:
    read = read_certificate_untrusted(CERT, SEALER)
    assert (read.persona, read.device, read.capabilities) == (ADA.persona, ADA.device, CAN_POST)
    assert (read.issued, read.expires, read.data) == (5, 900, CERT)
    assert read.id == certificate_id(CERT)
    assert len(read.id) == 8
    assert len(CERT) == CERTIFICATE_SIZE == 138


@pytest.mark.parametrize(
    ("expires", "now", "valid"), [(0, 10**6, True), (900, 899, True), (900, 900, False), (900, 0, True)]
)
def test_a_certificate_ends_when_it_says_so(expires: int, now: int, valid: bool) -> None:
    data = issue_certificate(SEALER, ADA.persona, ADA.persona_secret, ADA.device, expires=expires)
    assert read_certificate_untrusted(data, SEALER).valid_at(now) is valid


def test_a_short_certificate_is_made_whole_by_the_keys_beside_it() -> None:
    assert len(shorten(CERT)) == CERTIFICATE_SIZE - 64
    assert lengthen(shorten(CERT), ADA.persona, ADA.device) == CERT
    with pytest.raises(SignatureError):
        read_certificate_untrusted(lengthen(shorten(CERT), BO.persona, ADA.device), SEALER)


def test_a_removal_names_the_device_and_the_last_it_wrote() -> None:
    read = read_revocation_untrusted(REMOVAL, SEALER)
    assert (read.persona, read.device, read.incarnation, read.seq) == (ADA.persona, ADA.device, b"abcd", 17)
    assert (read.made, read.data) == (33, REMOVAL)


def test_a_removal_may_know_nothing_of_the_last() -> None:
    read = read_revocation_untrusted(revoke_device(SEALER, ADA.persona, ADA.persona_secret, ADA.device), SEALER)
    assert (read.incarnation, read.seq) == (bytes(4), 0)


def test_the_root_adopts_a_branch() -> None:
    read = read_adoption_untrusted(BRANCH, SEALER)
    assert (read.persona, read.log, read.seq, read.block, read.made) == (ADA.persona, LOG, 9, BLOCK, 4)
    assert read.by_root
    assert read.device == ADA.device


def test_another_device_adopts_a_branch() -> None:
    read = read_adoption_untrusted(adopt_branch(SEALER, ADA.persona, OTHER_SECRET, LOG, 9, BLOCK), SEALER)
    assert not read.by_root
    assert read.signer == SEALER.signing_public(OTHER_SECRET)


def test_the_forked_device_cannot_judge_itself() -> None:
    with pytest.raises(WireError, match="its own split log"):
        read_adoption_untrusted(adopt_branch(SEALER, ADA.persona, ADA.device_secret, LOG, 9, BLOCK), SEALER)


def test_only_the_root_certifies_and_removes() -> None:
    false_cert = issue_certificate(SEALER, ADA.persona, BO.persona_secret, BO.device)
    false_removal = revoke_device(SEALER, ADA.persona, ADA.device_secret, ADA.device)
    with pytest.raises(SignatureError):
        read_certificate_untrusted(false_cert, SEALER)
    with pytest.raises(SignatureError):
        read_revocation_untrusted(false_removal, SEALER)


def test_kinds_are_told_apart() -> None:
    assert [statement_kind_untrusted(data) for data in READERS] == [CERTIFICATE, REVOCATION, ADOPTION]
    for data, own_reader in READERS.items():
        for reader in READERS.values():
            if reader is not own_reader:
                with pytest.raises(WireError, match="another kind"):
                    reader(data, SEALER)


@given(st.sampled_from(list(READERS)), st.integers(0, 8 * CERTIFICATE_SIZE - 1))
def test_a_flipped_bit_is_refused(data: bytes, bit: int) -> None:
    with pytest.raises(WireError):
        READERS[data](flip(data, bit), SEALER)


@pytest.mark.parametrize("data", list(READERS))
def test_truncation_and_surplus_are_refused(data: bytes) -> None:
    for changed in (*(data[:size] for size in range(len(data))), data + b"\0", data + bytes(MAX_STATEMENT)):
        with pytest.raises(WireError):
            READERS[data](changed, SEALER)


@given(st.binary(max_size=MAX_STATEMENT + 9), st.sampled_from(list(READERS.values())))
def test_noise_is_refused(noise: bytes, reader: object) -> None:
    with pytest.raises(WireError):
        reader(noise, SEALER)  # type: ignore[operator]
