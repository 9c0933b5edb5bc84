"""What `meshnode doctor` checks of a bridge: its peerings, the far bridge, its day, and what the overlay can reach."""

from __future__ import annotations

from collections.abc import Iterator

from meshnode.config import Config
from meshnode.control.replies import BridgeInfo, CheckInfo, StatusReply
from meshnode.daemon.peerings import explained
from meshnode.overlay.uris import is_on_link

WORDS = {
    "spent": "the bytes of its day are spent",
    "hours": "it is outside its hours",
    "no-date": "its hours need a date, and the date is not known",
    "apart": "no far bridge has a session with it",
}
REMEDIES = {
    "spent": "raise bridge.sent_mb_per_day or received_mb_per_day, or wait: what is held back crosses later",
    "hours": "",
    "no-date": "set the clock, run an NTP client, or take bridge.hours out",
    "apart": "is the far bridge of the same mesh, and is its address in bridge.far where both use the public network?",
}


def check_uplink(config: Config, status: StatusReply) -> Iterator[CheckInfo]:
    """Nothing for a node that is no bridge and has no peerings by hand."""
    by_hand = [peer for peer in status.overlay.peers if not is_on_link(peer.uri) and not peer.inbound]
    for peer in by_hand:
        if not peer.up:
            yield CheckInfo(
                name="peering", state="warn", detail=f"{peer.uri} is down", remedy=explained(peer.last_error)
            )
    if status.bridge is None:
        return
    if not by_hand and not config.overlay.listen:
        remedy = "`meshnode peer add tls://host:port`, or overlay.listen on one of the two sides"
        yield CheckInfo(name="uplink", state="fail", detail="this bridge has no peering", remedy=remedy)
        return
    yield _state(status.bridge)
    if status.overlay.interface and not status.overlay.holder_pid:
        yield CheckInfo(
            name="uplink ports", state="warn",
            detail=f"{status.overlay.interface} is in this host: what listens on all addresses is seen by the overlay",
            remedy="take --overlay embedded, or the firewall rules in docs/how-to/bridge.md",
        )  # fmt: skip


def _state(bridge: BridgeInfo) -> CheckInfo:
    if bridge.state in WORDS:
        state = "ok" if bridge.state == "hours" else "warn"
        return CheckInfo(name="uplink", state=state, detail=WORDS[bridge.state], remedy=REMEDIES[bridge.state])
    first = ", another bridge of the mesh goes first" if bridge.state == "standby" else ""
    return CheckInfo(name="uplink", state="ok", detail=f"{bridge.uplinks} open{first}", remedy="")
