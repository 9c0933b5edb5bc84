"""What setups share: a wanted file, names and keys that may stand in one, the network files of an interface."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from meshnode.errors import UsageError

HEAD = "# Written by `meshnode halow`; its --undo brings back what was here before."
NETWORK = "etc/systemd/network"
MANAGER = "etc/NetworkManager/conf.d"
UNITS = "etc/systemd/system"
_INTERFACE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_MASK = "********"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file: where (from the root), and its text; `appended`: lines added to what stands there already.

    `secret` is a part of the text that is not for the eyes of bystanders; the file is then for root alone.
    """

    place: Path
    text: str
    secret: str = ""
    appended: bool = False

    @property
    def shown(self) -> str:
        """The text as it may be shown."""
        return self.text.replace(self.secret, _MASK) if self.secret else self.text

    @property
    def mode(self) -> int:
        """Its permissions, where it is new."""
        return 0o600 if self.secret else 0o644


def check_interface(name: str) -> str:
    """The name, if it can stand in a file as that of a network interface. Raises UsageError."""
    if not _INTERFACE.fullmatch(name) or name in (".", ".."):
        raise UsageError(f"{name!r} is no name of a network interface; see `ip link`")
    return name


def check_ssid(name: str) -> str:
    """The name of a Wi-Fi network or mesh: 1 to 32 bytes that need no quoting in any file. Raises UsageError."""
    fine = name.isprintable() and name == name.strip() and not set(name) & set('"\\')
    if not fine or not 1 <= len(name.encode()) <= 32:
        raise UsageError(
            f"{name!r} cannot name a network: 1 to 32 bytes, no quotes or backslashes, no space at the ends"
        )
    return name


def check_key(key: str) -> str:
    """A passphrase of a Wi-Fi network: 8 to 63 printable ASCII characters (WPA). Raises UsageError, without the key.

    Quotes and backslashes would end the string of a supplicant, a bar begins an option of hostapd's `sae_password`.
    """
    if not 8 <= len(key) <= 63 or not (key.isascii() and key.isprintable()) or set(key) & set('"\\|'):
        raise UsageError("the key is not 8 to 63 printable ASCII characters without quotes, backslashes and bars")
    return key


def network(number: str, interface: str, *, lines: str, mtu: int | None = None) -> tuple[Wanted, Wanted]:
    """The interface for systemd-networkd, and out of NetworkManager's hands: it would move it to networks it knows."""
    size = f"MTUBytes={mtu}\n" if mtu else ""
    text = f"[Match]\nName={interface}\n\n[Link]\nRequiredForOnline=no\n{size}\n[Network]\n{lines}"
    released = f"[keyfile]\nunmanaged-devices+=interface-name:{interface}\n"
    return (
        Wanted(Path(NETWORK, f"{number}.network"), f"{HEAD}\n{text}"),
        Wanted(Path(MANAGER, f"{number}.conf"), f"{HEAD}\n{released}"),
    )


def unit(name: str, about: str, interface: str, command: str) -> Wanted:
    """A unit that runs a program as long as the interface is there."""
    device = f"sys-subsystem-net-devices-{_escaped(interface)}.device"
    text = f"""{HEAD}
[Unit]
Description={about}
BindsTo={device}
After={device}
Wants=systemd-networkd.service

[Service]
ExecStart={command}
Restart=on-failure
RestartSec=5

[Install]
WantedBy={device}
"""
    return Wanted(Path(UNITS, name), text)


def _escaped(name: str) -> str:
    """As `systemd-escape` writes it: everything but letters, digits, `_` and `.` as its byte; no leading dot."""
    return "".join(c if c.isalnum() or c == "_" or (c == "." and i) else f"\\x{ord(c):02x}" for i, c in enumerate(name))
