"""What `doctor` says of a bridge and of peerings by hand."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from meshnode.config import parse
from meshnode.control.replies import CheckInfo, StatusReply
from meshnode.daemon.checks_bridge import check_uplink

STATUS = {
    "version": "1", "persona": "", "uptime_s": 1.0, "interface": {"name": "", "driver": "", "state": "up"},
    "neighbours": [], "counts": {"logs": 0, "blocks": 0, "envelopes": 0, "chunks": 0}, "airtime": {},
    "store": {"bytes": 0, "limit": 1}, "clock": {"offset_s": None, "uncertainty_s": None, "source": "unknown"},
}  # fmt: skip
BRIDGE = {
    "state": "open", "opens_in_s": None, "uplinks": 1, "sent": 0, "sent_per_day": 0, "received": 0,
    "received_per_day": 0, "held_back": 0,
}  # fmt: skip
UP = {"uri": "tls://far:1", "up": True, "inbound": False}
DOWN = {"uri": "tls://far:1", "up": False, "inbound": False, "last_error": "Connection refused"}
NEAR = {"uri": "tls://[fe80::1]:9001", "up": False, "inbound": False}


def checks(
    *peers: dict[str, Any], bridge: dict[str, Any] | None = None, toml: bytes = b"", **overlay: Any
) -> list[CheckInfo]:
    held = {"backend": "embedded", "address": "", "public_key": "", "peers": list(peers), **overlay}
    told = msgspec.convert({**STATUS, "overlay": held, "bridge": bridge}, StatusReply)
    return list(check_uplink(parse(toml), told))


def test_a_node_without_bridge_and_peerings_has_nothing_to_check() -> None:
    assert checks() == checks(NEAR) == checks(UP) == []


def test_a_peering_that_is_down_is_explained() -> None:
    (found,) = checks(DOWN)
    assert (found.state, found.detail) == ("warn", "tls://far:1 is down")
    assert "nothing listens there" in found.remedy


def test_a_bridge_needs_a_peering_or_a_place_to_be_called_at() -> None:
    assert [one.state for one in checks(bridge=BRIDGE)] == ["fail"]
    assert [one.state for one in checks(bridge=BRIDGE, toml=b"[overlay]\nlisten = ['tls://[::]:1']")] == ["ok"]


@pytest.mark.parametrize(
    ("state", "mark"),
    [("open", "ok"), ("standby", "ok"), ("hours", "ok"), ("spent", "warn"), ("no-date", "warn"), ("apart", "warn")],
)
def test_how_it_stands_with_the_uplink(state: str, mark: str) -> None:
    (found,) = checks(UP, bridge={**BRIDGE, "state": state})
    assert (found.name, found.state) == ("uplink", mark)
    assert found.remedy or mark == "ok"


def test_an_overlay_in_the_host_shows_its_ports() -> None:
    assert len(checks(UP, bridge=BRIDGE, interface="ygg0", holder_pid=7)) == 1
    found = checks(UP, bridge=BRIDGE, interface="ygg0")[1]
    assert (found.name, found.state) == ("uplink ports", "warn")
