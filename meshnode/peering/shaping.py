"""Holds back what others send on our interface, so that they and we together stay within the hour of the law.

    root HTB
      own     our datagrams, which the core paces, and the kernel's questions for our neighbours' addresses
      others  everything else to single stations: Yggdrasil, sessions, whatever a person runs there
      groups  everything else to groups: discovery, address resolution, announcements

HTB counts octets. A packet is counted with so many more that its octets at the rate of the class take no less than its
airtime: preamble, longest header, and every frame it is cut into. So a class never uses more than its share of any
hour, whatever its packets look like. It needs CAP_NET_ADMIN; without that nothing is changed, and the caller keeps a
reserve instead.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from meshnode.core.airtime.cost import LONGEST_HEADER, Mode
from meshnode.core.airtime.s1g import DELIMITER, LLC, PLAIN_LIMIT, SYMBOL_NS, Rate, rate_of
from meshnode.core.settings import LinkSettings

ROOT = 0x4D4E0000  # "MN": by this handle we know our own after a crash
OWN, OTHERS, GROUPS = ROOT | 0x10, ROOT | 0x20, ROOT | 0x30
GROUP_PART = 4  # the groups get a fourth of the others' share
FAST = 125_000_000  # octets a second of what is not to be held
TC_ROOT = 0xFFFFFFFF
_REPLACEABLE = ("noqueue", "pfifo_fast", "pfifo", "mq", "fq", "fq_codel")
_IPV6, _IPV4, _ARP = 0x86DD, 0x0800, 0x0806
_REFUSED = (errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOENT, errno.EINVAL, errno.ENODEV)


BURST = 1_600  # octets that may leave at once: one packet
SEGMENT = 1_220  # TCP payload of a packet of 1,280 octets; the kernel may hand many as one, counted as one


@dataclass(frozen=True, slots=True)
class Pace:
    """How a class is held: octets a second, and octets added to each packet."""

    rate: int
    overhead: int


def pace(rate: Mode, share_ppm: int, window_s: int) -> Pace:
    """The pace at which packets take at most that share of every window, however long each is."""
    limit = rate.psdu_limit if rate.psdu_limit <= PLAIN_LIMIT else rate.psdu_limit - DELIMITER
    octet_ns = -(-_full_frame_ns(rate, limit) // (limit - LONGEST_HEADER))
    empty_ns = rate.ppdu_ns(LONGEST_HEADER + LLC + DELIMITER) + SYMBOL_NS
    overhead = LLC + -(-empty_ns // octet_ns)
    octets = window_s * 1000 * share_ppm * SEGMENT // (octet_ns * (SEGMENT + overhead))
    return Pace(max(1, (octets - 2 * (BURST + overhead)) // window_s), overhead)


def _full_frame_ns(rate: Rate, limit: int) -> int:
    return rate.ppdu_ns(limit if limit <= PLAIN_LIMIT else limit + DELIMITER)


def others_ppm(settings: LinkSettings) -> tuple[int, int]:
    """The shares of what others send to stations, and to groups."""
    groups = settings.law.reserve_ppm // GROUP_PART
    return settings.law.reserve_ppm - groups, groups


class Shaping:
    """The classes of one interface. Blocking calls of some milliseconds, for a thread."""

    def __init__(self, index: int, port: int) -> None:
        self._index = index
        self._port = port
        self._begun = False

    def hold(self, settings: LinkSettings) -> bool:
        """Hold the others, or go on with other rates; False where the system, or a person's own classes, forbid it."""
        stations, groups = others_ppm(settings)
        paces = {
            OTHERS: pace(rate_of(settings.unicast_bps), stations, settings.law.window_s),
            GROUPS: pace(rate_of(settings.multicast_bps), groups, settings.law.window_s),
        }
        return self._ask(lambda netlink: self._hold(netlink, paces))

    def release(self) -> None:
        """Take the classes away again; nothing where there are none of ours."""
        self._ask(self._release)

    @staticmethod
    def _ask(work: Callable[[Any], bool]) -> bool:
        from pyroute2.iproute.linux import IPRoute  # a quarter of a second that a node without a law need not spend
        from pyroute2.netlink.exceptions import NetlinkError

        try:
            with IPRoute() as netlink:
                return work(netlink)
        except NetlinkError as error:
            if error.code not in _REFUSED:
                raise
            return False

    def _hold(self, netlink: Any, paces: dict[int, Pace]) -> bool:
        roots = self._roots(netlink)
        if any(handle != ROOT and kind not in _REPLACEABLE for kind, handle in roots):
            return False
        if not self._begun:
            self._release(netlink)  # what a crash left may be for another port
            self._begin(netlink)
        for handle, held in paces.items():
            self._class(netlink, handle, rate=held.rate, overhead=held.overhead, burst=BURST, quantum=BURST)
        if not self._begun:
            self._sort(netlink)
        self._begun = True
        return True

    def _begin(self, netlink: Any) -> None:
        netlink.tc("add", "htb", self._index, ROOT, default=OTHERS & 0xFFFF)
        self._class(netlink, OWN, rate=FAST, burst=65_536, quantum=65_536)

    def _class(self, netlink: Any, handle: int, *, burst: int, **how: int) -> None:
        netlink.tc("replace-class", "htb", self._index, handle, parent=ROOT, burst=burst, cburst=burst, **how)

    def _sort(self, netlink: Any) -> None:
        for priority, (protocol, keys, target) in enumerate(_sorting(self._port), start=1):
            netlink.tc(
                "add-filter", "u32", self._index, parent=ROOT, prio=priority, protocol=protocol, target=target,
                keys=keys,
            )  # fmt: skip

    def _release(self, netlink: Any) -> bool:
        if any(handle == ROOT for _, handle in self._roots(netlink)):
            netlink.tc("del", index=self._index, parent=TC_ROOT)
        return True

    def _roots(self, netlink: Any) -> list[tuple[str, int]]:
        found = [one for one in netlink.get_qdiscs(self._index) if one["parent"] == TC_ROOT]
        return [(one.get_attr("TCA_KIND"), one["handle"]) for one in found if one["index"] == self._index]


def _sorting(port: int) -> Iterator[tuple[int, list[str], int]]:
    """Which packets go where: protocol, value/mask+offset from the network header, class. The rest is the others'."""
    yield _IPV6, ["0x11/0xff+6", f"0x{port:04x}/0xffff+42"], OWN  # next header UDP, destination port
    yield _IPV6, ["0x3a/0xff+6", "0x87/0xff+40"], OWN  # neighbour solicitation and
    yield _IPV6, ["0x3a/0xff+6", "0x88/0xff+40"], OWN  # advertisement: without them nothing finds its station
    yield _IPV6, ["0xff/0xff+24"], GROUPS
    yield _IPV4, ["0xe0/0xf0+16"], GROUPS
    yield _IPV4, ["0xffff/0xffff+16", "0xffff/0xffff+18"], GROUPS
    yield _ARP, ["0x0/0x0+0"], GROUPS
