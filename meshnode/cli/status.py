"""`meshnode status`: one screen."""

from __future__ import annotations

from collections.abc import Iterator

from meshnode.cli import say
from meshnode.cli.ask import ask
from meshnode.cli.neighbours import table
from meshnode.cli.options import COMMON, Common
from meshnode.control import replies, requests

WHOLE_S = 600.0  # a clock that may be off by more is not worth tenths of a second


def status(*, common: Common = COMMON) -> None:
    """Show the state of the node on one screen.

    Example: meshnode status
    """
    reply = ask(common, requests.StatusRequest(), replies.StatusReply)
    say.answer(common, reply, [*_facts(reply), *_warnings(reply), "", *table(reply.neighbours)])


def _facts(status: replies.StatusReply) -> list[str]:
    rows = (
        ("node", f"{status.node_short} to its neighbours, key {status.node}"),
        ("", f"meshnode {status.version}, up {say.ago(status.uptime_s)}"),
        ("persona", f"{say.plain(status.name)} {status.persona}".strip()),
        ("mesh", _mesh(status)),
        ("interface", _interface(status.interface)),
        *_radio(status.radio),
        ("overlay", _overlay(status.overlay)),
        *_bridges(status),
        ("holds", _counts(status.counts)),
        ("store", f"{say.size(status.store.bytes)} of {say.size(status.store.limit)}"),
        ("clock", _clock(status.clock)),
        ("airtime", "; ".join(_airtime(status.airtime)) or "none used"),
    )
    return [f"{name + ':' if name else '':<11} {text}" for name, text in rows]


def _mesh(status: replies.StatusReply) -> str:
    name = say.plain(status.mesh)
    return f"{name} (open: whoever knows the name is in)" if status.open_mesh else f"{name} (closed)"


def _interface(interface: replies.InterfaceInfo) -> str:
    if not interface.name:
        return "none"
    driver = f", driver {interface.driver}" if interface.driver else ""
    why = f": {say.plain(interface.detail)}" if interface.detail else ""
    return f"{interface.name}, {interface.state}{driver} {interface.address}".rstrip() + why


def _radio(radio: replies.RadioInfo | None) -> Iterator[tuple[str, str]]:
    """What is known of the radio, and why the rest is not; nothing where there is none to ask."""
    if radio is None:
        return
    parts = [radio.family, radio.role or "", say.plain(radio.network), _channel(radio.channel)]
    if radio.noise_dbm is not None:
        parts.append(f"noise {radio.noise_dbm} dBm")
    yield "radio", ", ".join(part for part in parts if part) or "nothing known"
    for one in radio.neighbours:
        yield "", _station(one)
    for line in radio.missing:
        yield "", f"not known: {say.plain(line)}"


def _channel(channel: replies.S1gChannelInfo | None) -> str:
    if channel is None:
        return ""
    number = f"channel {channel.number}, " if channel.number is not None else ""
    return f"{number}{channel.centre_khz / 1000:g} MHz, {channel.width_mhz} MHz wide"


def _station(one: replies.StationInfo) -> str:
    signal = f", {one.signal_dbm} dBm" if one.signal_dbm is not None else ""
    rate = f", MCS {one.tx.mcs} at {one.tx.kbps:g} kbit/s" if one.tx and one.tx.kbps and one.tx.mcs is not None else ""
    return f"{say.plain(one.mac) or 'the access point'}{signal}{rate}{', ' + one.peering if one.peering else ''}"


def _overlay(overlay: replies.OverlayInfo) -> str:
    if not overlay.address:
        return f"{overlay.backend}{': ' + overlay.detail if overlay.detail else ''}"
    up = sum(peer.up for peer in overlay.peers)
    return f"{overlay.backend}, {overlay.address}, {up} of {len(overlay.peers)} peerings up"


def _bridges(status: replies.StatusReply) -> Iterator[tuple[str, str]]:
    """What we are as a bridge, and the others of the mesh; nothing where there are none."""
    if (own := status.bridge) is not None:
        held = f", {own.held_back} held back" if own.held_back else ""
        yield "bridge", f"{own.state}{_opens(own.opens_in_s)}, {say.counted(own.uplinks, 'uplink')}{_used(own)}{held}"
    for other in status.bridges:
        left = f", {say.size(other.sent_left)} left to send" if other.sent_left is not None else ""
        yield (
            "bridge",
            f"{other.node}, {say.counted(other.hops, 'hop')} away: {other.state}{_opens(other.opens_in_s)}{left}",
        )


def _opens(seconds: float | None) -> str:
    return f", opens in {seconds / 60:.0f} min" if seconds else ""


def _used(bridge: replies.BridgeInfo) -> str:
    ways = (("sent", bridge.sent, bridge.sent_per_day), ("received", bridge.received, bridge.received_per_day))
    return "".join(f", {say.size(used)} of {say.size(day)} {what} today" for what, used, day in ways if day)


def _counts(counts: replies.CountsInfo) -> str:
    blocks, logs = say.counted(counts.blocks, "block"), say.counted(counts.logs, "log")
    envelopes, chunks = say.counted(counts.envelopes, "envelope"), say.counted(counts.chunks, "chunk")
    return f"{blocks} in {logs}, {envelopes}, {chunks}"


def _clock(clock: replies.ClockInfo) -> str:
    if clock.uncertainty_s is None:
        return "date not known; messages go without one"
    off = clock.uncertainty_s
    within = f"{off:.1f} s" if off < WHOLE_S else say.ago(off)
    ahead = clock.offset_s or 0.0
    wrong = f"; the system's clock is {ahead:+.0f} s from it" if abs(ahead) > off + 1 else ""
    return f"{clock.source}, within {within}{wrong}"


def _airtime(airtime: dict[str, float]) -> Iterator[str]:
    """For each link what the last hour held, and what it may hold."""
    links = [name.removeprefix("used_s_") for name in airtime if name.startswith("used_s_")]
    for link in links:
        used, others = airtime[f"used_s_{link}"], airtime.get(f"others_s_{link}", 0.0)
        shared = f" and {others:.1f} s by others" if others else ""
        law = f" of {allowed:.1f} s allowed" if (allowed := airtime.get(f"allowed_s_{link}")) is not None else ""
        waits = f", {wait:.1f} s waiting" if (wait := airtime.get(f"backlog_s_{link}", 0.0)) else ""
        yield f"{link}: {used:.1f} s used{shared} in the last hour{law}{waits}"


def _warnings(status: replies.StatusReply) -> list[str]:
    return [f"{'warning:':<11} {say.plain(warning.text)} ({warning.code})" for warning in status.warnings]
