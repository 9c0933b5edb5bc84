"""The vectors in tests/vectors/sealing*.json, checked with the code: wire bytes with names, which never change.

Keys and nonces that a host would draw stand in the vectors. Each is checked by the function named after its kind.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from meshnode.core.identity.adoption import adopt_branch, read_adoption_untrusted
from meshnode.core.identity.certificate import (
    certificate_id,
    issue_certificate,
    read_certificate_untrusted,
    read_revocation_untrusted,
    revoke_device,
)
from meshnode.core.identity.invite import (
    ContactInvite,
    MeshInvite,
    contact_uri,
    invite_words,
    mesh_uri,
    read_invite_untrusted,
)
from meshnode.core.identity.keys import Keys, decode_keys_untrusted, encode_keys
from meshnode.core.identity.words import safety_words
from meshnode.core.sealing.atrest import StoreKey, open_by_key_untrusted, open_by_passphrase_untrusted
from meshnode.core.sealing.chainkey import first_key, message_key, next_key, receipt_of, root_id
from meshnode.core.sealing.envelope import (
    Terms,
    envelope_id,
    lifetime_code,
    opens,
    read_envelope_untrusted,
    receipt_tag,
)
from meshnode.core.sealing.first import Prekey, open_first_untrusted
from meshnode.core.sealing.inner import Inner, chain_hash, decode_inner_untrusted, message_id
from meshnode.core.sealing.link import LinkSeal, peek_untrusted
from meshnode.core.sealing.manifest import (
    Manifest,
    attach,
    content_step,
    file_id,
    list_of,
    open_chunk_untrusted,
    seal_chunk,
    take_attached_untrusted,
)
from meshnode.core.sealing.mesh import closed_mesh, open_mesh, secret_from_passphrase
from meshnode.core.sealing.pair import custody_mac, pair_key, sealed_echo
from meshnode.core.sealing.parcel import ParcelOpen
from meshnode.core.sealing.primitives import RealSealer
from meshnode.core.sealing.ratchet import Ratchet
from meshnode.core.sealing.records import RecordOpen, RecordSeal
from meshnode.core.sealing.stream import DIALLER, LISTENER, Handshake

SEALER = RealSealer()
VECTORS = Path(__file__).parents[2] / "vectors"

Vector = dict[str, Any]


class Drawn:
    """Entropy that gives what the vector says was drawn, in that order."""

    def __init__(self, draws: list[bytes]) -> None:
        self._draws = draws

    def take(self, purpose: str, size: int) -> bytes:
        draw = self._draws.pop(0)
        assert len(draw) == size, purpose
        return draw

    def between(self, purpose: str, low: float, high: float) -> float:
        raise AssertionError(purpose)


def from_hex(value: Any) -> Any:
    """Strings that begin with `0x` are bytes."""
    if isinstance(value, dict):
        return {key: from_hex(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_hex(item) for item in value]
    return bytes.fromhex(value[2:]) if isinstance(value, str) and value.startswith("0x") else value


def vectors() -> Iterator[Any]:
    for path in sorted(VECTORS.glob("sealing*.json")):
        for vector in json.loads(path.read_text())["vectors"]:
            yield pytest.param(vector["kind"], from_hex(vector), id=f"{path.stem}: {vector['name']}")


@pytest.mark.parametrize(("kind", "vector"), list(vectors()))
def test_vector(kind: str, vector: Vector) -> None:
    CHECKS[kind](vector)


def keys_of(vector: Vector) -> Keys:
    return decode_keys_untrusted(vector["key_file"], SEALER)


# identity


def key_file(v: Vector) -> None:
    keys = keys_of(v)
    assert encode_keys(keys) == v["key_file"]
    for name in ("persona", "device", "node", "exchange", "incarnation", "certificate"):
        assert getattr(keys, name) == v[name]


def certificate(v: Vector) -> None:
    made = issue_certificate(
        SEALER, v["persona"], v["persona_secret"], v["device"], capabilities=v["capabilities"],
        issued=v["issued"], expires=v["expires"],
    )  # fmt: skip
    assert made == v["bytes"]
    assert certificate_id(made) == v["id"]
    assert read_certificate_untrusted(made, SEALER).device == v["device"]


def revocation(v: Vector) -> None:
    made = revoke_device(
        SEALER,
        v["persona"],
        v["persona_secret"],
        v["device"],
        incarnation=v["incarnation"],
        seq=v["seq"],
        made=v["made"],
    )
    assert made == v["bytes"]
    assert read_revocation_untrusted(made, SEALER).seq == v["seq"]


def adoption(v: Vector) -> None:
    made = adopt_branch(SEALER, v["persona"], v["signer_secret"], v["log"], v["seq"], v["block"], made=v["made"])
    assert made == v["bytes"]
    assert read_adoption_untrusted(made, SEALER).block == v["block"]


def contact_invite(v: Vector) -> None:
    assert contact_uri(v["persona"], v["contact_name"]) == v["uri"]
    assert invite_words(v["uri"]) == v["words"]
    assert read_invite_untrusted(v["words"]) == ContactInvite(v["persona"], v["contact_name"])


def mesh_invite(v: Vector) -> None:
    assert mesh_uri(v["mesh_name"], v["secret"], v["number"]) == v["uri"]
    assert invite_words(v["uri"]) == v["words"]
    assert read_invite_untrusted(v["words"]) == MeshInvite(v["mesh_name"], v["secret"], v["number"])


def safety(v: Vector) -> None:
    assert safety_words(v["a"], v["b"]) == v["words"]


# mesh and link


def mesh(v: Vector) -> None:
    keys = open_mesh(v["mesh_name"]) if v["secret"] is None else closed_mesh(v["mesh_name"], v["secret"])
    for name in ("id", "link", "digest", "session", "parcel"):
        assert getattr(keys, name) == v[name]
    assert keys.ygg == v["ygg"]


def passphrase(v: Vector) -> None:
    assert secret_from_passphrase(v["mesh_name"], v["passphrase"]) == v["secret"]


def pairwise(v: Vector) -> None:
    public = SEALER.agreeing_public(v["b_secret"])
    assert pair_key(SEALER, v["link_key"], v["a_secret"], public, v["a"], v["b"]) == v["key"]


def custody(v: Vector) -> None:
    assert custody_mac(v["key"], v["envelope"], v["taker"]) == v["mac"]


def echo(v: Vector) -> None:
    assert sealed_echo(v["key"], v["beacon"], v["said_in"]) == v["echo"]


def datagram(v: Vector) -> None:
    keys = closed_mesh("", v["mesh_secret"], v["number"])
    link = LinkSeal(SEALER, keys, v["sender"], v["epoch"])
    link._counter = v["counter"]
    multicast = v["way"] == "multicast"
    sealed = (
        link.seal_multicast(v["plaintext"]) if multicast else link.seal_unicast(v["plaintext"], v["to"], v["pair_key"])
    )
    assert sealed == v["bytes"]
    receiver: Any = v["to"] or bytes(6)
    assert link.open_untrusted(sealed, peek_untrusted(sealed), multicast, receiver, v["pair_key"]) == v["plaintext"]


# envelopes


def inner(v: Vector) -> None:
    message = Inner(v["inner_kind"], v["seq"], v["previous"], v["text"].encode(), v["flags"])
    assert message.encode() == v["bytes"]
    assert chain_hash(message) == v["chain_hash"]
    assert decode_inner_untrusted(v["bytes"]) == message


def message_name(v: Vector) -> None:
    assert message_id(v["device"], v["incarnation"], v["recipient"], v["seq"]) == v["id"]


def chain(v: Vector) -> None:
    assert root_id(v["root"]) == v["root_id"]
    for label, from_initiator in (("i2r", True), ("r2i", False)):
        key = first_key(v["root"], from_initiator)
        for step in v[label]:
            receipt = receipt_of(key)
            assert (message_key(key), receipt, receipt_tag(receipt)) == (step["key"], step["receipt"], step["tag"])
            assert opens(step["tag"], step["receipt"])
            key = next_key(key)


def envelope(v: Vector) -> None:
    terms = Terms(v["cls"], lifetime_code(v["lifetime_s"]), v["created"], v["hint"])
    session, other = Ratchet.begin(v["root"], initiator=True), Ratchet.begin(v["root"], initiator=False)
    message = decode_inner_untrusted(v["inner"])
    sealed = [session.seal_next(SEALER, message, terms) for _ in range(v["index"])][-1]
    assert (sealed.data, sealed.tag, sealed.id, sealed.index) == (v["bytes"], v["tag"], v["id"], v["index"])
    assert other.open_untrusted(SEALER, v["bytes"], 0).inner == message


def first(v: Vector) -> None:
    me = Prekey(v["recipient"], v["recipient_device"], v["prekey_block"])
    message = open_first_untrusted(SEALER, v["bytes"], me, v["prekey_secret"], lambda _: v["certificate"])
    assert message is not None
    assert (message.persona, message.device, message.incarnation) == (v["persona"], v["device"], v["incarnation"])
    assert (message.root, message.receipt, message.inner.encode()) == (v["root"], v["receipt"], v["inner"])
    assert message.certificate is not None
    assert message.certificate.data == v["certificate"]
    assert envelope_id(v["bytes"]) == v["id"]
    assert read_envelope_untrusted(v["bytes"]).tag == v["tag"]


# sessions, parcels, files


def handshake(v: Vector) -> None:
    keys = closed_mesh("", v["mesh_secret"])
    here, there = v["dialler_address"], v["listener_address"]
    dialler = Handshake(DIALLER, keys_of(v["dialler"]), keys, here, there, Drawn(v["dialler"]["draws"]), SEALER)
    listener = Handshake(LISTENER, keys_of(v["listener"]), keys, there, here, Drawn(v["listener"]["draws"]), SEALER)
    nonce = listener.take()
    dialler.feed_untrusted(nonce)
    hello = dialler.take()
    at_listener = listener.feed_untrusted(hello)
    answer = listener.take()
    at_dialler = dialler.feed_untrusted(answer)
    assert at_dialler is not None
    assert at_listener is not None
    assert [nonce, hello, answer] == [v["nonce"], v["hello"], v["answer"]]
    assert at_dialler.seal.seal(v["record"]) == v["from_dialler"]
    assert at_listener.seal.seal(v["record"], final=True) == v["from_listener"]


def records(v: Vector) -> None:
    seal = RecordSeal(SEALER, v["key"])
    last = len(v["plaintexts"]) - 1
    made = b"".join(seal.seal(plaintext, final=i == last) for i, plaintext in enumerate(v["plaintexts"]))
    assert made == v["bytes"]
    assert list(RecordOpen(SEALER, v["key"]).feed_untrusted(made)) == v["plaintexts"]


def parcel(v: Vector) -> None:
    opening = ParcelOpen(SEALER, closed_mesh("", v["mesh_secret"]), [v["prekey_secret"]] if v["prekey_secret"] else [])
    assert list(opening.feed_untrusted(v["bytes"])) == v["plaintexts"]
    assert opening.finished


def sealed_file(v: Vector) -> None:
    by_words = "passphrase" in v
    opening = (
        open_by_passphrase_untrusted(SEALER, v["bytes"], v["passphrase"])
        if by_words
        else open_by_key_untrusted(SEALER, v["bytes"], v["key"])
    )
    assert opening == v["plaintext"]


def column(v: Vector) -> None:
    store = StoreKey(SEALER, Drawn([v["nonce"]]), v["key"])
    assert store.seal(v["plaintext"], v["row"].encode()) == v["bytes"]
    assert store.open_untrusted(v["bytes"], v["row"].encode()) == v["plaintext"]


def file(v: Vector) -> None:
    content, key = v["content"].encode() * v["times"], v["key"]
    parts = [content[at : at + content_step(key)] for at in range(0, len(content), content_step(key))]
    chunks = [seal_chunk(SEALER, key, index, part) for index, part in enumerate(parts)]
    assert list_of(chunks) == v["list"]
    assert chunks[-1].endswith(v["last_chunk"])
    assert [open_chunk_untrusted(SEALER, key, index, chunk) for index, chunk in enumerate(chunks)] == parts
    assert sum(map(len, chunks)) == v["size"]
    assert file_id(v["size"], v["list"]) == v["file"]
    manifest = Manifest(v["file"], v["size"], "soup.txt", v["media"], key, v["preview"]).encode()
    assert attach(manifest, v["text"]) == v["bytes"]
    assert take_attached_untrusted(v["bytes"]) == (manifest, v["text"])


CHECKS: dict[str, Callable[[Vector], None]] = {
    check.__name__: check
    for check in (
        key_file, certificate, revocation, adoption, contact_invite, mesh_invite, safety, mesh, passphrase, pairwise,
        custody, echo, datagram, inner, message_name, chain, envelope, first, handshake, records, parcel, sealed_file,
        column, file,
    )
}  # fmt: skip


def test_every_check_has_a_vector() -> None:
    assert {param.values[0] for param in vectors()} == set(CHECKS)
