"""Asks the kernel about one radio through nl80211. Blocks: call it in a worker thread.

pyroute2 finds the family, sends and receives; the answers are read by messages.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyroute2.netlink import NLM_F_DUMP, NLM_F_REQUEST, genlmsg
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.generic import GenericNetlinkSocket
from pyroute2.netlink.nl80211 import (
    NL80211_CMD_GET_INTERFACE,
    NL80211_CMD_GET_STATION,
    NL80211_CMD_GET_SURVEY,
    nl80211cmd,
)

from meshnode.board.profile import Driver
from meshnode.errors import LinkError, WireError
from meshnode.halow.messages import (
    InterfaceFacts,
    StationFacts,
    interface_untrusted,
    noise_untrusted,
    station_untrusted,
)
from meshnode.halow.state import RadioState
from meshnode.halow.understanding import Setting, understand

_HEADERS = 20  # of netlink (16) and generic netlink (4)


class _Unread(genlmsg):
    """A message whose attributes stay bytes."""

    nla_map: dict[int, str] = {}  # noqa: RUF012  # pyroute2 asks for it on the class


def read_radio(index: int, family: Driver, setting: Setting) -> RadioState:
    """The state of the interface of that index. Raises LinkError where nl80211 is not there or does not know it."""
    try:
        with GenericNetlinkSocket() as asking:
            asking.bind("nl80211", _Unread)
            facts = _interface(asking, index)
            stations = _stations(asking, index)
            return understand(family, facts, stations, _noise(asking, index), setting)
    except NetlinkError as error:
        raise LinkError(f"nl80211 does not answer for interface {index} ({error})") from error
    except OSError as error:
        raise LinkError(f"nl80211 cannot be asked ({error.strerror})") from error


def _interface(asking: GenericNetlinkSocket, index: int) -> InterfaceFacts:
    for payload in _answers(asking, NL80211_CMD_GET_INTERFACE, index, 0):
        try:
            return interface_untrusted(payload)
        except WireError:
            continue
    return InterfaceFacts(index)


def _stations(asking: GenericNetlinkSocket, index: int) -> list[StationFacts]:
    found = []
    for payload in _answers(asking, NL80211_CMD_GET_STATION, index, NLM_F_DUMP):
        try:
            found.append(station_untrusted(payload))
        except WireError:
            continue
    return found


def _noise(asking: GenericNetlinkSocket, index: int) -> int | None:
    """Drivers without a survey refuse the question; then the noise is not known."""
    try:
        for payload in _answers(asking, NL80211_CMD_GET_SURVEY, index, NLM_F_DUMP):
            if (noise := noise_untrusted(payload)) is not None:
                return noise
    except (NetlinkError, WireError):
        pass
    return None


def _answers(asking: GenericNetlinkSocket, command: int, index: int, flags: int) -> Iterator[bytes]:
    """The attributes of each answer."""
    question = nl80211cmd()
    question["cmd"] = command
    question["version"] = 1
    question["attrs"] = [["NL80211_ATTR_IFINDEX", index]]
    for answer in asking.nlm_request(question, msg_type=asking.prid, msg_flags=NLM_F_REQUEST | flags):
        yield bytes(answer.data[answer.offset + _HEADERS : answer.offset + answer.length])
