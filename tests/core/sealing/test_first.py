"""The first message: it opens for one prekey, shows who wrote it, and cannot be aimed, mixed or forged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnode.core.identity.certificate import certificate_id, issue_certificate, shorten
from meshnode.core.identity.keys import Keys, new_keys
from meshnode.core.ids import BlockId, DeviceKey, PersonaKey
from meshnode.core.sealing.chainkey import first_key, receipt_of, root_hash
from meshnode.core.sealing.envelope import KIND_FIRST, Terms, opens, receipt_tag
from meshnode.core.sealing.first import FirstMessage, Prekey, open_first_untrusted, seal_first
from meshnode.core.sealing.primitives import RealSealer
from meshnode.core.sealing.ratchet import Ratchet
from meshnode.core.sealing.seeded import SeededEntropy
from meshnode.errors import SignatureError, WireError
from support.sealed import Pair, flip, pair, text

PEOPLE = pair()
SEALER = PEOPLE.sealer
EVE = new_keys(SEALER, SeededEntropy(99))
INFO = b"mn-first-v1" + PEOPLE.prekey.persona + PEOPLE.prekey.device + PEOPLE.prekey.block


@pytest.mark.parametrize("people", [PEOPLE, pair(sealer=RealSealer())], ids=["seeded", "real"])
def test_bo_learns_who_wrote_and_what(people: Pair) -> None:
    sealed = people.first(text("soup is ready"), Terms(cls=1, created=99, hint=3))
    message = people.open_first(sealed.data)
    assert message is not None
    assert (message.persona, message.device) == (people.ada.persona, people.ada.device)
    assert (message.incarnation, message.root) == (people.ada.incarnation, people.root)
    assert message.inner == text("soup is ready")
    assert message.certificate is not None
    assert message.certificate.data == people.ada.certificate
    assert (message.header.cls, message.header.created, message.header.hint) == (1, 99, 3)
    assert message.receipt == sealed.receipt
    assert opens(sealed.tag, message.receipt)


def test_both_sides_go_on_with_one_session() -> None:
    message = opened(PEOPLE.first(text()).data)
    ada, bo = Ratchet.begin(PEOPLE.root, initiator=True), Ratchet.begin(message.root, initiator=False)
    assert message.root_id == ada.root_id == bo.root_id
    sealed = ada.seal_next(SEALER, text("more"), Terms())
    assert bo.open_untrusted(SEALER, sealed.data, 0).inner == text("more")


def test_another_prekey_another_block_another_person_do_not_open_it() -> None:
    data = PEOPLE.first(text()).data
    for me in (
        replace(PEOPLE.prekey, persona=EVE.persona),
        replace(PEOPLE.prekey, device=EVE.device),
        replace(PEOPLE.prekey, block=BlockId(bytes(32))),
    ):
        assert open_first_untrusted(SEALER, data, me, PEOPLE.prekey_secret, unknown) is None
    assert open_first_untrusted(SEALER, data, PEOPLE.prekey, SEALER.new_prekey()[0], unknown) is None


@given(st.integers(0, 8 * 1503 - 1))
@settings(max_examples=200)
def test_any_flipped_bit_is_refused(bit: int) -> None:
    assert_refused(flip(PEOPLE.first(text("x" * 100)).data, bit))


@pytest.mark.parametrize("size", [0, 16, 17, 1151, 1152, 1502])
def test_truncation_is_refused(size: int) -> None:
    assert_refused(PEOPLE.first(text("x" * 100)).data[:size])


def test_the_sealed_part_does_not_fit_another_header() -> None:
    one, other = PEOPLE.first(text()), PEOPLE.first(text(), Terms(created=1))
    assert PEOPLE.open_first(other.data[:16] + one.data[16:]) is None


def test_an_ordinary_envelope_is_no_first_message() -> None:
    sealed = PEOPLE.sessions()[0].seal_next(SEALER, text(), Terms())
    with pytest.raises(WireError, match="no first message"):
        PEOPLE.open_first(sealed.data)


def test_an_id_is_enough_where_the_certificate_is_held() -> None:
    message = PEOPLE.open_first(PEOPLE.first(text(), whole=False).data, known=PEOPLE.ada.certificate)
    assert message is not None
    assert message.certificate is not None
    assert message.certificate_id == message.certificate.id == certificate_id(PEOPLE.ada.certificate)


def test_without_the_certificate_the_sender_is_not_yet_believed() -> None:
    message = PEOPLE.open_first(PEOPLE.first(text(), whole=False).data)
    assert message is not None
    assert message.certificate is None
    assert message.certificate_id == certificate_id(PEOPLE.ada.certificate)


def test_the_certificate_of_somebody_else_does_not_serve() -> None:
    data = PEOPLE.first(text(), whole=False).data
    with pytest.raises(SignatureError, match="somebody else"):
        PEOPLE.open_first(data, known=EVE.certificate)
    with pytest.raises(WireError):
        PEOPLE.open_first(data, known=b"no certificate at all")


def test_nobody_writes_under_a_persona_that_did_not_certify_them() -> None:
    own = issue_certificate(SEALER, EVE.persona, EVE.persona_secret, EVE.device)
    impostor = replace(EVE, persona=PEOPLE.ada.persona, certificate=own)
    for whole in (True, False):
        sealed = seal_first(SEALER, impostor, PEOPLE.prekey, bytes(32), Terms(), text(), whole_certificate=whole)
        with pytest.raises(SignatureError):
            PEOPLE.open_first(sealed.data, known=PEOPLE.ada.certificate)


def test_nobody_writes_as_a_device_whose_key_they_lack() -> None:
    sealed = seal_first(
        SEALER, replace(PEOPLE.ada, device_secret=EVE.device_secret), PEOPLE.prekey, bytes(32), Terms(), text()
    )
    with pytest.raises(SignatureError, match="device it names"):
        PEOPLE.open_first(sealed.data)


def test_it_cannot_be_aimed_anew_at_a_third_person() -> None:
    """Bo, who can open it, seals the same plaintext to Cy: the signature names Bo's prekey."""
    cy = new_keys(SEALER, SeededEntropy(5))
    secret, public = SEALER.new_prekey()
    for_cy = Prekey(cy.persona, cy.device, BlockId(bytes(32)), public)
    data = PEOPLE.first(text()).data
    plaintext = SEALER.hpke_open(PEOPLE.prekey_secret, INFO + data[:16], data[16:])
    assert plaintext is not None
    info = b"mn-first-v1" + for_cy.persona + for_cy.device + for_cy.block + data[:16]
    aimed = data[:16] + SEALER.hpke_seal(public, info, plaintext)
    with pytest.raises(SignatureError, match="device it names"):
        open_first_untrusted(SEALER, aimed, for_cy, secret, unknown)


def test_the_text_is_deniable() -> None:
    """Bo can put other words into Ada's message, and nobody could tell: no signature covers them."""
    data = PEOPLE.first(text("soup")).data
    plaintext = SEALER.hpke_open(PEOPLE.prekey_secret, INFO + data[:16], data[16:])
    assert plaintext is not None
    honest = text("soup").encode()
    forged = plaintext.removesuffix(honest) + text("I owe Bo ten sheep").encode()
    message = opened(data[:16] + SEALER.hpke_seal(PEOPLE.prekey.public, INFO + data[:16], forged))
    assert (message.persona, message.inner) == (PEOPLE.ada.persona, text("I owe Bo ten sheep"))


def forge(change: Callable[[bytes], bytes], keys: Keys = PEOPLE.ada, tag_root: bytes = PEOPLE.root) -> bytes:
    """A well-signed first message whose plaintext is `change`d before sealing."""
    header = Terms().header(KIND_FIRST, receipt_tag(receipt_of(first_key(tag_root, from_initiator=True)))).encode()
    who = keys.persona + keys.device + keys.incarnation
    signature = SEALER.sign(keys.device_secret, b"mn-first-sig" + INFO + header + who + root_hash(PEOPLE.root))
    vouched = shorten(keys.certificate)
    plaintext = PEOPLE.root + who + bytes((len(vouched),)) + vouched + signature + text().encode()
    return header + SEALER.hpke_seal(PEOPLE.prekey.public, INFO + header, change(plaintext))


def test_the_layout_is_the_documented_one() -> None:
    assert opened(forge(lambda plaintext: plaintext)).inner == text()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda plaintext: b"", "cut short"),
        (lambda plaintext: plaintext[:100], "cut short"),
        (lambda plaintext: plaintext[:-5], "padding"),
        (lambda plaintext: plaintext[:100] + b"\x03abc" + plaintext[101 + 74 :], "neither a certificate"),
        (lambda plaintext: plaintext[:101] + b"\2" + plaintext[102:], "unknown version"),
    ],
    ids=["empty", "cut", "padding", "no certificate", "newer certificate"],
)
def test_nonsense_inside_the_seal_is_refused(change: Callable[[bytes], bytes], sentence: str) -> None:
    with pytest.raises(WireError, match=sentence):
        PEOPLE.open_first(forge(change))


def test_the_tag_must_follow_from_the_root() -> None:
    with pytest.raises(WireError, match="tag"):
        PEOPLE.open_first(forge(lambda plaintext: plaintext, tag_root=bytes(32)))


@given(st.binary(max_size=300))
def test_noise_inside_the_seal_is_refused(noise: bytes) -> None:
    with pytest.raises(WireError):
        PEOPLE.open_first(forge(lambda _: noise))


def test_the_root_is_not_shown() -> None:
    assert repr(PEOPLE.root)[2:-1] not in repr(opened(PEOPLE.first(text()).data))


def opened(data: bytes) -> FirstMessage:
    message = PEOPLE.open_first(data)
    assert message is not None
    return message


def assert_refused(data: bytes) -> None:
    try:
        assert PEOPLE.open_first(data) is None
    except WireError:
        pass


def unknown(_: bytes) -> bytes | None:
    return None


def test_keys_are_typed() -> None:
    assert Prekey(PersonaKey(bytes(32)), DeviceKey(bytes(32)), BlockId(bytes(32))).public == b""
