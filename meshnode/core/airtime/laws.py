"""The governors of all links of one node, and what of them has to outlive a restart.

Where the host cannot hold what others send on a link, it is asked to stop them, as far as it can, when half of their
part of the hour is used: the counters are read every few seconds, in which a slow radio sends much. They may go on when
the hour has slid on and no more than a fourth is used.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from meshnode.core.airtime.governor import CEILINGS, Governor
from meshnode.core.airtime.queue import FairQueue
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.inputs import LinkUsed
from meshnode.core.notices import OthersStopped
from meshnode.core.records import FactRecord, Snapshot
from meshnode.core.settings import Law, LinkSettings

FACT = "airtime "  # then the name of the link
EVERY = frozenset(CEILINGS)
HAND_OVER_S = 0.01  # how much airtime may stand in the driver's queue: one frame on the air, the next one ready
STOP_OTHERS, FREE_OTHERS = 50, 25  # per cent of their part
SMALLEST_PAYLOAD = 256  # below it nothing useful fits a datagram


class Laws:
    """What each link may still send."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._governors: dict[str, Governor] = {}
        self._kept: dict[str, bytes] = {}
        self._waiting: set[str] = set()  # links whose person was told that frames wait
        self.stopped: set[str] = set()  # links on which the host keeps others from sending
        ctx.ease = lambda: max((self.ease(link) for link in ctx.links), default=1.0)

    def restore(self, snapshot: Snapshot) -> None:
        """What was used before a restart counts on."""
        for record in snapshot.records:
            if isinstance(record, FactRecord) and record.name.startswith(FACT):
                self._kept[record.name.removeprefix(FACT)] = record.value

    def link_changed(self, link: str, settings: LinkSettings) -> None:
        """A link came, or its rates or its region changed. What was used stays used while it is away."""
        if link in self._governors:
            self._governors[link].change(settings)
            self._watch_others(link, self._governors[link])
        else:
            kept = self._kept.pop(link, b"")
            self._governors[link] = Governor(settings, self._ctx.now, kept)
            if kept and _binds_others(settings.law):  # perhaps the node before this one stopped them
                self._tell_others(link, stopped=self._governors[link].others_over(STOP_OTHERS, self._ctx.now))

    def allowed(self, link: str, ready: FairQueue) -> frozenset[int]:
        """The classes that may leave on a link now; when some of those ready may not, a person is told once."""
        governor = self._governors.get(link)
        if governor is None or not governor.limited:
            return EVERY
        may = frozenset(cls for cls in CEILINGS if governor.may(cls, self._ctx.now))
        if not may.issuperset(ready.classes()):
            self._tell(link)
        elif may == EVERY:
            self._waiting.discard(link)
        return may

    def next_at(self, link: str, wanted: Collection[int]) -> Instant | None:
        """When the first of these classes may leave; None if the law leaves nothing for them."""
        governor = self._governors.get(link)
        if governor is None or not governor.limited:
            return self._ctx.now if wanted else None
        return min((at for cls in wanted if (at := governor.when(cls, self._ctx.now)) is not None), default=None)

    def ease(self, link: str) -> float:
        """How freely a link's airtime may go to what can wait: 1 at rest, less when its hour is more than half used."""
        governor = self._governors.get(link)
        return 1.0 if governor is None else governor.ease(self._ctx.now)

    def silence_s(self, link: str, payload: int, *, unicast: bool) -> float:
        """From handing a datagram over until the law lets the next one begin; 0 where it asks for no gaps."""
        governor = self._governors.get(link)
        if governor is None or not governor.law.spacing_us:
            return 0.0
        return governor.cost(payload, unicast=unicast) / 1e9 + governor.law.spacing_us / 1e6 + HAND_OVER_S

    def sent(self, link: str, payload: int, *, unicast: bool) -> None:
        """A datagram leaves; what a restart has to know of it is written first."""
        governor = self._governors.get(link)
        if governor and governor.sent(payload, unicast=unicast, now=self._ctx.now):
            self._keep(link, governor)

    def heard(self, link: str, payload: int, *, unicast: bool) -> None:
        """A datagram came."""
        governor = self._governors.get(link)
        if governor and governor.heard(payload, unicast=unicast, now=self._ctx.now):
            self._keep(link, governor)

    def used(self, seen: LinkUsed) -> None:
        """What the interface counted."""
        if governor := self._governors.get(seen.link):
            if governor.used(seen, self._ctx.now):
                self._keep(seen.link, governor)
            self._watch_others(seen.link, governor)

    def free_others(self) -> None:
        """Let others that are stopped go on where it is time for that."""
        for link in tuple(self.stopped):
            self._watch_others(link, self._governors[link])

    def others_at(self) -> Instant | None:
        """When others that are stopped may go on."""
        stopped = (self._governors[link] for link in self.stopped)
        return min((one.others_below_at(FREE_OTHERS, self._ctx.now) for one in stopped), default=None)

    def status(self) -> dict[str, float]:
        """Seconds of the last hour, by link: what we used, what others used, and what the law allows."""
        rows: dict[str, float] = {}
        for link, governor in self._governors.items():
            own, others = governor.used_ns(self._ctx.now)
            rows[f"used_s_{link}"] = round(own / 1e9, 3)
            rows[f"others_s_{link}"] = round(others / 1e9, 3)
            if governor.limited:
                rows[f"allowed_s_{link}"] = round(governor.allowed_ns / 1e9, 3)
        return rows

    def _watch_others(self, link: str, governor: Governor) -> None:
        stopped, now = link in self.stopped, self._ctx.now
        if not stopped and _binds_others(governor.law) and governor.others_over(STOP_OTHERS, now):
            self._tell_others(link, stopped=True)
        elif stopped and not (_binds_others(governor.law) and governor.others_over(FREE_OTHERS, now)):
            self._tell_others(link, stopped=False)

    def _tell_others(self, link: str, *, stopped: bool) -> None:
        (self.stopped.add if stopped else self.stopped.discard)(link)
        self._ctx.notify(OthersStopped(link, stopped=stopped))

    def _keep(self, link: str, governor: Governor) -> None:
        self._ctx.persist(FactRecord(FACT + link, governor.record()), promise=True)

    def _tell(self, link: str) -> None:
        if link not in self._waiting:
            self._waiting.add(link)
            self._ctx.warn(
                "airtime_spent",
                f"Frames wait on {link}: what the region allows in an hour is nearly used. Urgent ones still go.",
            )


def _binds_others(law: Law) -> bool:
    """Others have their part, and the host does not hold them to it."""
    return law.limited and law.reserve_ppm > 0 and not law.others_held


def lawful(settings: LinkSettings) -> LinkSettings:
    """The settings, with payloads small enough for the longest transmission the law allows."""
    if not settings.law.burst_us:
        return settings
    governor = Governor(settings, 0.0)
    return replace(
        settings,
        unicast_payload=_fitting(governor, settings.unicast_payload, unicast=True),
        multicast_payload=_fitting(governor, settings.multicast_payload, unicast=False),
    )


def _fitting(governor: Governor, payload: int, *, unicast: bool) -> int:
    longest = governor.law.burst_us * 1000
    while payload > SMALLEST_PAYLOAD and governor.cost(payload, unicast=unicast) > longest:
        payload = max(SMALLEST_PAYLOAD, payload - 16)
    return payload
