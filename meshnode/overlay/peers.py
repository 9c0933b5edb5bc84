"""The Yggdrasil peerings a person added, kept over restarts in a file of the home."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from meshnode.errors import OverlayError, UsageError
from meshnode.overlay.uris import PeerUri, parse_peer_uri

MOST = 100

_log = structlog.get_logger("overlay")


class PeerBook:
    """A list of URIs as they were given. Two that differ in options only are the same peering."""

    def __init__(self, path: Path | None, configured: tuple[str, ...] = (), far: tuple[str, ...] = ()) -> None:
        self.far = far  # overlay addresses of bridges that are called through the network
        self._path = path
        self._configured = [parse_peer_uri(uri) for uri in configured]
        self._added = list(_parsed(path, _read(path)))

    def __iter__(self) -> Iterator[PeerUri]:
        return iter([*self._configured, *(peer for peer in self._added if not _same(self._configured, peer))])

    def holds(self, peer: PeerUri) -> bool:
        """True when it is kept already."""
        return _same(self._configured + self._added, peer)

    def add(self, peer: PeerUri) -> None:
        """Keep it from now on."""
        if not self.holds(peer):
            if len(self._added) >= MOST:
                raise OverlayError(f"More than {MOST} peerings are not kept; remove one first.")
            self._write([*self._added, peer])

    def remove(self, peer: PeerUri) -> bool:
        """Forget it; False if it was not kept. One from the configuration has to be removed there."""
        if _same(self._configured, peer):
            raise OverlayError(f"{peer.plain} stands in the configuration file; remove it there.")
        left = [kept for kept in self._added if not _same([kept], peer)]
        was_kept = len(left) < len(self._added)
        if was_kept:
            self._write(left)
        return was_kept

    def _write(self, peers: list[PeerUri]) -> None:
        if self._path is not None:
            write_private(self._path, msgspec.json.format(msgspec.json.encode([_text(peer) for peer in peers])))
        self._added = peers


def write_private(path: Path, data: bytes) -> None:
    """Replace a file of mode 0600 at once: after a power cut it is the old one or the new one."""
    beside = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise OverlayError(f"{path} cannot be written ({error.strerror}).") from error


def _read(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[str])
    except FileNotFoundError:
        return []
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        raise OverlayError(f"{path} cannot be read ({error}); mend it or move it away.") from error


def _parsed(path: Path | None, uris: list[str]) -> Iterator[PeerUri]:
    """Those that can be used: one that cannot must not keep the node from running."""
    for uri in uris:
        try:
            yield parse_peer_uri(uri)
        except UsageError as error:
            _log.warning("peering left out", file=str(path), why=str(error))


def _same(peers: list[PeerUri], peer: PeerUri) -> bool:
    return any((kept.plain, kept.interface) == (peer.plain, peer.interface) for kept in peers)


def _text(peer: PeerUri) -> str:
    return f"{peer.shown}?{peer.options}" if peer.options else peer.shown
