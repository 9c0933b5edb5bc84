"""A file for those who help: what `doctor` and `status` say, without saying who.

Names, keys, addresses, networks and places are replaced by words that are the same wherever the same thing stands, so
that one can still follow a node through the file. No message, no contact, no key is read for it.
"""

from __future__ import annotations

import io
import json
import os
import platform
import re
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import meshnode
from meshnode.daemon.files import write_private

_WHO = (
    ("uri", re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"',;]+|\bmesh:[^\s\"',;]+")),
    ("mac", re.compile(r"\b[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}\b")),
    (
        "address",
        re.compile(r"(?<![\w:.])(?=\S*::|(?:[0-9a-fA-F]{1,4}:){7})(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])"),
    ),
    ("address", re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")),
    ("key", re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b")),
    ("home", re.compile(r"/(?:home|root)(?:/[^\s\"',;]*)?")),
)
_NAMED = ("name", "mesh", "persona", "node", "network", "ssid", "admin", "socket", "peers", "group")


class Redaction:
    """One file's words for what is hidden. `names` are hidden wherever they stand."""

    def __init__(self, names: Sequence[str]) -> None:
        self._words: dict[str, str] = {}
        self._names = sorted({name for name in names if len(name) > 1}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text, without who and where."""
        for name in self._names:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", lambda found: self._word("name", found[0]), text)
        for kind, pattern in _WHO:
            text = pattern.sub(lambda found, kind=kind: self._word(kind, found[0]), text)  # type: ignore[misc]
        return text

    def data(self, value: object) -> object:
        """The same for what JSON can hold."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.data(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(each) for each in value]
        return value

    def _word(self, kind: str, secret: str) -> str:
        return self._words.setdefault(secret, f"<{kind}-{len(self._words) + 1}>")


def names_in(status: Mapping[str, object], config: str) -> list[str]:
    """What a person or a mesh is called, by the state of the node and by its configuration."""
    said = [str(status.get(key, "")) for key in ("name", "mesh")]
    lines = re.findall(rf"^\s*(?:{'|'.join(_NAMED)})\s*=\s*(.*)$", config, re.MULTILINE)
    quoted = [word for line in lines for word in re.findall(r"\"([^\"]*)\"", line)]
    return [*said, *quoted, platform.node()]


def pack(checks: object, status: Mapping[str, object], config: str, hide: Sequence[str] = ()) -> bytes:
    """The file, a tar archive with gzip. `checks` and `status` are ready for JSON; `hide`: what else is a name."""
    hidden = Redaction([*hide, *names_in(status, config)])
    machine = {
        "meshnode": meshnode.__version__,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "system": _system(),
        "processors": os.cpu_count(),
    }
    parts = {
        "doctor.json": _json(hidden.data(checks)),
        "status.json": _json(hidden.data(status)),
        "config.toml": hidden.text(config).encode(),
        "machine.json": _json(machine),
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in parts.items():
            member = tarfile.TarInfo(f"meshnode-doctor/{name}")
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()


def write(path: Path, packed: bytes) -> None:
    """Write it for the person alone; OSError where that cannot be."""
    write_private(path, packed)


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return ""
