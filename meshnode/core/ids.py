"""Names of things on the wire and in the store: fixed-size byte strings and the hashes that make them.

`H(label, x)` is BLAKE2b with `person=label`; one label for one use, so that no hash of one kind can pass for another.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NewType

PersonaKey = NewType("PersonaKey", bytes)  # 32 B, Ed25519 root key of a person: the address of that person
DeviceKey = NewType("DeviceKey", bytes)  # 32 B, Ed25519 key that signs logs
NodeKey = NewType("NodeKey", bytes)  # 32 B, Ed25519 key of a node on the link and in sessions
NeighbourId = NewType("NeighbourId", bytes)  # 6 B, "link id" of protocol.md: names a node on the air
MeshId = NewType("MeshId", bytes)  # 8 B
Incarnation = NewType("Incarnation", bytes)  # 4 B, random, new after every restore
ChannelId = NewType("ChannelId", bytes)  # 16 B
LogId = NewType("LogId", bytes)  # 52 B: device key 32 | incarnation 4 | channel id 16
BlockId = NewType("BlockId", bytes)  # 32 B
EnvelopeId = NewType("EnvelopeId", bytes)  # 16 B
MessageId = NewType("MessageId", bytes)  # 16 B
Tag = NewType("Tag", bytes)  # 10 B
Receipt = NewType("Receipt", bytes)  # 16 B, the preimage of a tag
FileId = NewType("FileId", bytes)  # 32 B: the hash over a file's size and the hashes of its chunks

KEY_SIZE = 32
LOG_ID_SIZE = 52
REF_SIZE = 20  # backlinks and references: a block id cut to 20 B


def hashed(label: bytes, data: bytes, size: int = 32) -> bytes:
    """BLAKE2b of `data` with `person=label` (at most 16 B), `size` bytes long."""
    return blake2b(data, digest_size=32, person=label).digest()[:size]


def keyed(key: bytes, label: bytes, data: bytes = b"", size: int = 32) -> bytes:
    """BLAKE2b of `data` keyed with `key` (at most 64 B), `person=label`, `size` bytes long."""
    return blake2b(data, digest_size=32, key=key, person=label).digest()[:size]


def channel_id(name: str) -> ChannelId:
    """The id of the public channel of that name."""
    return ChannelId(hashed(b"mn-channel", name.encode(), 16))


def log_id(device: DeviceKey, incarnation: Incarnation, channel: ChannelId) -> LogId:
    """The id of the log of one device's incarnation in one channel."""
    return LogId(device + incarnation + channel)


def log_device(log: LogId) -> DeviceKey:
    """The device that signs this log."""
    return DeviceKey(log[:32])


def log_incarnation(log: LogId) -> Incarnation:
    """The incarnation of the device that writes this log."""
    return Incarnation(log[32:36])


def log_channel(log: LogId) -> ChannelId:
    """The channel this log belongs to."""
    return ChannelId(log[36:52])


def log_handle(log: LogId) -> bytes:
    """4 B that hint at a log on the wire; several logs may share one, the signature decides."""
    return hashed(b"mn-log", log, 4)


def neighbour_id(node: NodeKey, mesh: MeshId) -> NeighbourId:
    """How a node is called on the link of one mesh (protocol rule 2.4)."""
    return NeighbourId(hashed(b"mn-linkid", node + mesh, 6))


PERSON_CHANNEL = ChannelId(hashed(b"mn-channel", b"\x00person", 16))  # person log: certificate, profile, prekeys
