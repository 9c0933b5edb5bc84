"""The handshake of a session: members find each other, strangers learn nothing, and no word can be bent on the way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnode.core.identity.keys import Keys, new_keys
from meshnode.core.ids import keyed
from meshnode.core.sealing.mesh import MeshKeys, closed_mesh, open_mesh, with_current, with_secret
from meshnode.core.sealing.primitives import RealSealer
from meshnode.core.sealing.seeded import SeededEntropy
from meshnode.core.sealing.stream import DIALLER, LISTENER, MAX_UNPROVED, Handshake, Proven
from meshnode.errors import SignatureError, UsageError, WireError
from support.sealed import flip

SEALER = RealSealer()
ADA, BO, EVE = (new_keys(SEALER, SeededEntropy(seed)) for seed in (1, 2, 3))
MESH = closed_mesh("hill", bytes(range(32)))
HELLO_SIZE = 229
HERE, THERE, ELSEWHERE = (bytes((2, number)) * 8 for number in (1, 2, 3))


def dialler(
    keys: Keys = ADA, mesh: MeshKeys = MESH, mine: bytes = HERE, yours: bytes = THERE, seed: int = 10
) -> Handshake:
    return Handshake(DIALLER, keys, mesh, mine, yours, SeededEntropy(seed), SEALER)


def listener(
    keys: Keys = BO, mesh: MeshKeys = MESH, mine: bytes = THERE, yours: bytes = HERE, seed: int = 20
) -> Handshake:
    return Handshake(LISTENER, keys, mesh, mine, yours, SeededEntropy(seed), SEALER)


def shake(a: Handshake, b: Handshake) -> tuple[Proven, Proven]:
    """Carry the bytes of dialler `a` and listener `b` to each other."""
    assert a.feed_untrusted(b.take()) is None
    at_b = b.feed_untrusted(a.take())
    at_a = a.feed_untrusted(b.take())
    assert at_a is not None
    assert at_b is not None
    return at_a, at_b


def test_two_members_know_each_other_afterwards() -> None:
    at_ada, at_bo = shake(dialler(), listener())
    assert (at_ada.node, at_ada.exchange) == (BO.node, BO.exchange)
    assert (at_bo.node, at_bo.exchange) == (ADA.node, ADA.exchange)
    assert (at_ada.newest_version, at_ada.number, at_ada.rest) == (1, 0, b"")


def test_records_flow_both_ways_under_different_keys() -> None:
    at_ada, at_bo = shake(dialler(), listener())
    there, back = at_ada.seal.seal(b"frames"), at_bo.seal.seal(b"frames")
    assert there != back
    assert list(at_bo.open.feed_untrusted(there)) == list(at_ada.open.feed_untrusted(back)) == [b"frames"]


def test_a_record_does_not_return_to_its_sender() -> None:
    at_ada, _ = shake(dialler(), listener())
    with pytest.raises(SignatureError):
        list(at_ada.open.feed_untrusted(at_ada.seal.seal(b"frames")))


def test_records_that_come_with_the_hello_are_kept() -> None:
    a, b = dialler(), listener()
    a.feed_untrusted(b.take())
    at_b = b.feed_untrusted(a.take())
    assert at_b is not None
    early = at_b.seal.seal(b"x" * 2000) + at_b.seal.seal(b"y", final=True)
    at_a = a.feed_untrusted(b.take() + early)
    assert at_a is not None
    assert list(at_a.open.feed_untrusted(at_a.rest)) == [b"x" * 2000, b"y"]


def test_any_cutting_of_the_bytes_gives_the_same() -> None:
    a, b = dialler(), listener()
    proven: list[Proven] = []
    for sender, receiver in ((b, a), (a, b), (b, a)):
        data = sender.take()
        answers = [receiver.feed_untrusted(data[i : i + 1]) for i in range(len(data))]
        proven += [answer for answer in answers if answer]
    assert [one.node for one in proven] == [ADA.node, BO.node]


def test_link_local_connections_have_no_addresses_to_bind() -> None:
    at_ada, _ = shake(dialler(mine=b"", yours=b""), listener(mine=b"", yours=b""))
    assert at_ada.node == BO.node


def test_an_address_is_given_packed() -> None:
    with pytest.raises(UsageError, match="packed"):
        dialler(mine=b"200:1234:5678::1 and more")


def test_every_session_has_keys_of_its_own_that_are_forgotten() -> None:
    one = shake(dialler(seed=1), listener(seed=2))[0].seal.seal(b"same")
    two = shake(dialler(seed=3), listener(seed=4))[0].seal.seal(b"same")
    assert one != two
    a = dialler()
    shake(a, listener())
    assert SeededEntropy(10).take("session", 32) not in [
        value for value in vars(a).values() if isinstance(value, bytes)
    ]


# strangers


def test_a_stranger_gets_sixteen_random_bytes_and_silence() -> None:
    for knock in (b"GET / HTTP/1.1\r\n\r\n" * 9, bytes(100), b"\0\x50" + bytes(80)):
        b = listener()
        greeting = b.take()
        try:
            answer = b.feed_untrusted(knock)
        except WireError:
            answer = None
        assert answer is None
        assert (len(greeting), b.take()) == (16, b"")


def test_a_stranger_who_listens_gets_one_sealed_hello() -> None:
    a = dialler()
    a.feed_untrusted(bytes(16))
    hello = a.take()
    assert len(hello) == HELLO_SIZE <= 256
    for secret in (ADA.node, ADA.exchange, HERE, THERE, MESH.id):
        assert secret not in hello


def test_who_is_not_of_the_mesh_is_refused_on_either_side() -> None:
    for mesh in (closed_mesh("hill", bytes(32)), open_mesh("hill")):
        for a, b in ((dialler(mesh=mesh), listener()), (dialler(), listener(mesh=mesh))):
            a.feed_untrusted(b.take())
            with pytest.raises(SignatureError, match="does not know the mesh"):
                b.feed_untrusted(a.take())
            assert b.take() == b""


def test_one_who_only_sends_is_cut_off() -> None:
    for size in range(1, 70, 7):
        assert taken_of_an_endless_peer(listener(), size) <= MAX_UNPROVED + size


def taken_of_an_endless_peer(b: Handshake, size: int) -> int:
    for sent in range(0, 10_000, size):
        try:
            b.feed_untrusted(b"\1" * size)
        except WireError:
            return sent
    return 10_000


def test_a_hello_announced_too_long_is_refused_at_once() -> None:
    with pytest.raises(WireError, match="too long"):
        listener().feed_untrusted(b"\x02\x00")
    with pytest.raises(WireError, match="proves nothing"):
        listener().feed_untrusted(bytes(MAX_UNPROVED + 1))


@given(st.binary(max_size=700), st.booleans())
def test_noise_never_gets_in(noise: bytes, listening: bool) -> None:
    side = listener() if listening else dialler()
    try:
        assert side.feed_untrusted(noise) is None
    except WireError:
        pass


@pytest.mark.parametrize("message", [0, 1, 2], ids=["nonce", "hello of the dialler", "hello of the listener"])
@given(bit=st.integers(0, 8 * HELLO_SIZE - 1))
@settings(max_examples=60)
def test_a_flipped_bit_in_any_message_proves_nothing(message: int, bit: int) -> None:
    a, b = dialler(), listener()
    receivers = (a, b, a)
    proven: list[Proven | None] = []
    try:
        for number, sender in enumerate((b, a, b)):
            data = flip(sender.take(), bit) if number == message else sender.take()
            proven.append(receivers[number].feed_untrusted(data))
    except WireError:
        pass
    assert not any(proven[message:])


# members who cheat


def hello(a: Handshake, nonce: bytes) -> bytes:
    a.feed_untrusted(nonce)
    return a.take()


def test_a_recorded_hello_is_of_no_use_in_another_connection() -> None:
    recorded = hello(dialler(), listener(seed=20).take())
    with pytest.raises(SignatureError):
        listener(seed=21).feed_untrusted(recorded)


def test_a_hello_made_for_another_connection_is_refused() -> None:
    for a in (
        dialler(mine=ELSEWHERE),
        dialler(yours=ELSEWHERE),
        dialler(mine=b"", yours=b""),
        dialler(mine=THERE, yours=HERE),
    ):
        b = listener()
        with pytest.raises(WireError, match="another connection"):
            b.feed_untrusted(hello(a, b.take()))
        assert b.take() == b""


def test_the_answer_must_be_to_this_hello() -> None:
    """A listener that repeats its nonce and an old answer."""
    old_a, old_b = dialler(seed=1), listener()
    nonce = old_b.take()
    old_b.feed_untrusted(hello(old_a, nonce))
    answer = old_b.take()
    a = dialler(seed=2)
    hello(a, nonce)
    with pytest.raises(WireError, match="answers another"):
        a.feed_untrusted(answer)


def test_one_s_own_hello_reflected_is_refused() -> None:
    a = dialler(mine=b"", yours=b"")
    with pytest.raises(SignatureError):
        a.feed_untrusted(hello(a, bytes(16)))


def test_a_node_does_not_talk_to_itself() -> None:
    b = listener(keys=ADA)
    with pytest.raises(WireError, match="this node itself"):
        b.feed_untrusted(hello(dialler(keys=ADA), b.take()))


def resealed(change: Callable[[bytes], bytes], signer: Keys = ADA) -> tuple[Handshake, bytes]:
    """A listener, and a dialler's HELLO changed by a member who signs and seals it anew."""
    b = listener()
    nonce = b.take()
    key, role = keyed(MESH.session, b"mn-hello-seal", nonce), b"\1" + bytes(11)
    body = SEALER.aead_open(key, role, hello(dialler(), nonce)[2:], b"")
    assert body is not None
    body = change(body[:-64])
    signature = SEALER.sign(signer.node_secret, b"mn-session-sig" + MESH.id + b"\1" + nonce + body)
    sealed = SEALER.aead_seal(key, role, body + signature, b"")
    return b, len(sealed).to_bytes(2, "big") + sealed


def test_the_layout_is_the_documented_one() -> None:
    b, data = resealed(lambda body: body)
    proven = b.feed_untrusted(data)
    assert proven is not None
    assert proven.node == ADA.node


def test_nobody_speaks_for_a_node_whose_key_they_lack() -> None:
    b, data = resealed(lambda body: body, signer=EVE)
    with pytest.raises(SignatureError, match="node it names"):
        b.feed_untrusted(data)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda body: b"\x22" + body[1:], "no version"),
        (lambda body: b"\x00" + body[1:], "no version"),
        (lambda body: body[:33] + bytes(32) + body[65:], "small order"),
        (lambda body: body[:65] + bytes(32) + body[97:], "small order"),
        (lambda body: body + b"\0", "left over"),
        (lambda body: body[:40], "cut short"),
        (lambda body: b"", "cut short"),
    ],
    ids=["newer", "older", "lasting key", "session key", "surplus", "cut", "empty"],
)
def test_a_member_s_nonsense_is_refused(change: Callable[[bytes], bytes], sentence: str) -> None:
    b, data = resealed(change)
    with pytest.raises(WireError, match=sentence):
        b.feed_untrusted(data)


def test_a_newer_version_that_still_speaks_ours_is_welcome() -> None:
    b, data = resealed(lambda body: b"\x12" + body[1:])
    proven = b.feed_untrusted(data)
    assert proven is not None
    assert proven.newest_version == 1


# several secrets


def test_who_still_has_the_old_secret_current_is_answered_under_it() -> None:
    renewed = with_secret(MESH, 1, b"\7" * 32)
    at_ada, at_bo = shake(dialler(), listener(mesh=renewed))
    assert at_ada.number == at_bo.number == 0
    assert list(at_bo.open.feed_untrusted(at_ada.seal.seal(b"x"))) == [b"x"]
    with pytest.raises(SignatureError):
        shake(dialler(mesh=renewed), listener())
    for one, other in ((renewed, with_current(renewed, 0)), (with_current(renewed, 0), renewed)):
        at_ada, at_bo = shake(dialler(mesh=one), listener(mesh=other))
        assert at_ada.number == at_bo.number == one.current.number
        assert list(at_ada.open.feed_untrusted(at_bo.seal.seal(b"y"))) == [b"y"]
