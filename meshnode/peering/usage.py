"""What an interface has sent and received, by the kernel's counters: ours and everybody else's.

Read from /proc, which shows the network namespace of this process (/sys may show another one's). Packets to groups are
counted for IPv6 alone; the few of IPv4 and of address resolution count as if they went to one station.
"""

from __future__ import annotations

from pathlib import Path

from meshnode.core.inputs import LinkUsed

PROC = Path("/proc/self/net")
_RECEIVED, _SENT = 0, 8  # columns of /proc/net/dev: octets, then packets


def read_usage(name: str, retries: int = 0, proc: Path = PROC) -> LinkUsed | None:
    """The counters of an interface, None while there is none."""
    try:
        device = _device(name, (proc / "dev").read_text())
    except OSError:
        return None
    if device is None:
        return None
    group = _groups(name, proc)
    return LinkUsed(
        name,
        sent_packets=device[_SENT + 1],
        sent_octets=device[_SENT],
        group_packets=group.get("Ip6OutMcastPkts", 0),
        group_octets=group.get("Ip6OutMcastOctets", 0),
        received_packets=device[_RECEIVED + 1],
        received_octets=device[_RECEIVED],
        retries=retries,
    )


def _device(name: str, table: str) -> list[int] | None:
    for line in table.splitlines():
        owner, colon, columns = line.partition(":")
        if colon and owner.strip() == name:
            return [int(column) for column in columns.split()]
    return None


def _groups(name: str, proc: Path) -> dict[str, int]:
    try:
        lines = (proc / "dev_snmp6" / name).read_text().splitlines()
    except OSError:
        return {}  # a kernel without IPv6 statistics
    return {key: int(value) for key, value in (line.split() for line in lines)}
