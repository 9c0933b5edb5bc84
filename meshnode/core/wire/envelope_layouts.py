"""Layouts of what concerns envelopes: the envelope on its way, receipts, custody proofs, offers, traces."""

from __future__ import annotations

from typing import Final

from meshnode.core.ids import Receipt
from meshnode.core.sealing.envelope import MAX_ENVELOPE
from meshnode.core.wire.fields import exactly, rows
from meshnode.core.wire.frames import EnvelopeFrame, Handover, Need, Offer, Proof, Proofs, Receipts, TookProof, Trace
from meshnode.core.wire.limits import MIN_ENVELOPE
from meshnode.errors import WireError

ENVELOPE: Final = 0x40


def put_receipts(frame: Receipts) -> bytes:
    return b"\x09" + b"".join(frame.receipts) + (bytes((frame.hops,)) if frame.hops else b"")


def take_receipts(body: bytes) -> Receipts:
    hops = body[-1] if len(body) % 16 == 1 else 0
    listed = body[:-1] if hops else body
    return Receipts(tuple(Receipt(listed[at : at + 16]) for at in rows(listed, 16)), hops)


def put_proofs(frame: Proofs) -> bytes:
    return b"\x0a" + b"".join(proof.envelope + proof.mac for proof in frame.proofs)


def take_proofs(body: bytes) -> Proofs:
    return Proofs(tuple(Proof(body[at : at + 4], body[at + 4 : at + 12]) for at in rows(body, 12)))


def put_trace(frame: Trace) -> bytes:
    return b"\x0e" + frame.envelope + bytes((frame.hop, frame.carrier)) + frame.neighbour


def take_trace(body: bytes) -> Trace:
    exactly(body, 16)
    return Trace(body[:8], body[8], body[9], body[10:])


def put_offer(frame: Offer) -> bytes:
    return b"\x10" + b"".join(frame.envelopes)


def take_offer(body: bytes) -> Offer:
    return Offer(tuple(body[at : at + 6] for at in rows(body, 6)))


def put_need(frame: Need) -> bytes:
    return b"\x11" + b"".join(frame.envelopes)


def take_need(body: bytes) -> Need:
    return Need(tuple(body[at : at + 6] for at in rows(body, 6)))


def put_envelope(frame: EnvelopeFrame) -> bytes:
    out = bytearray((ENVELOPE + (frame.proof is not None) + 2 * len(frame.handovers),))
    if frame.proof is not None:
        out += frame.proof.giver + frame.proof.mac
    for handover in frame.handovers:
        out += handover.taker
        out.append(handover.copies << 3 | handover.reply)
    out += frame.age.to_bytes(2, "big")
    out.append(frame.spread)
    return bytes(out + frame.data)


def take_envelope(body: bytes, kind: int) -> EnvelopeFrame:
    handovers, proof, at = kind >> 1, None, 0
    if kind & 1:
        proof, at = TookProof(body[:2], body[2:10]), 10
    given = tuple(
        Handover(body[one : one + 2], body[one + 2] >> 3, body[one + 2] & 7) for one in range(at, at + 3 * handovers, 3)
    )
    at += 3 * handovers
    spread, data = body[at + 2], body[at + 3 :]
    if not MIN_ENVELOPE <= len(data) <= MAX_ENVELOPE:
        raise WireError("an envelope has an impossible size")
    return EnvelopeFrame(data, int.from_bytes(body[at : at + 2], "big"), spread, proof, given)
