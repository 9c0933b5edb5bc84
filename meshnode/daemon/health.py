"""Every warning a person can see: what it is, why, and what to do. `docs/how-to/warnings.md` is made from this page.

The core and the carriers raise warnings by code with a sentence of their own; here stands what is always true of that
code. The newest of each code is kept until the daemon ends, so that `status` shows what was found.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from meshnode.core.notices import Warned
from meshnode.daemon.adapters import HealthWarning

KEPT = 32  # codes; more than exist, unless something is badly wrong


@dataclass(frozen=True, slots=True)
class Advice:
    """What is always true of a code."""

    cause: str
    remedy: str


ADVICE: dict[str, Advice] = {
    "airtime_spent": Advice(
        "The region allows the radio a share of each hour, and most of it is used. Frames wait in order of urgency;"
        " none is lost.",
        "Nothing: they leave as the hour moves on. `meshnode status` shows what was used, and by whom. Move large"
        " things by another way (`meshnode export`), or use a faster rate.",
    ),
    "airtime_unshaped": Advice(
        "The law limits the radio's hour, and the node may not set the classes of the interface (CAP_NET_ADMIN), or a"
        " person has set their own. A reserve is kept for what others send there, and Yggdrasil's peerings and sessions"
        " there are dropped when half of it is used; another program that sends more breaks the law.",
        "Run the node as the service (`meshnode service install`), or let nothing else use the interface:"
        " `--overlay none`, no routes over it.",
    ),
    "beacons_too_often": Advice(
        "An access point or a mesh radio sends beacons by itself, at the slowest rate: ten a second take 3.2 % of the"
        " air, more than a portable node has in Europe.",
        "Give the radio a longer beacon interval (1000 TU), and say so in radio.beacon_interval_tu.",
    ),
    "date_disputed": Advice(
        "This node has no sure date of its own, and most neighbours now say another one than most said before.",
        "A GPS receiver, NTP or a clock with a battery settles it: see the page on boards. Only dates are concerned.",
    ),
    "history_split": Advice(
        "Two blocks of one device stand at the same place of its history: often a backup that was put back, or a card"
        " that was copied.",
        "Nothing, if it is somebody else's: what came before stays, and they go on in a new history. If it is yours,"
        " use each home on one machine only; `meshnode device adopt`, on the one that is right, gives back to everybody"
        " what it wrote after the split.",
    ),
    "other-mesh": Advice(
        "A node was met that is in another mesh, or speaks a version too old to be understood.",
        "Nothing, if that is meant. Else compare `meshnode status` on both: mesh and version must fit.",
    ),
    "overlay_stopped": Advice(
        "What shares the interface with the node has used half of its part of the hour, and nothing else can hold it:"
        " the node may not set the classes of the interface. Messages go on over the link.",
        "Nothing: it comes back when the hour has slid on. Run the node as the service (`meshnode service install`)"
        " and it is slowed down instead. A yggdrasil of the system that finds neighbours on this interface by itself"
        " has to be told not to (its MulticastInterfaces).",
    ),
    "own_id_heard": Advice(
        "A frame in the name of this node was heard: a copy of its home runs elsewhere, or a member of the mesh"
        " pretends to be it.",
        "Use each home on one machine only. If there is no copy, change the mesh secret.",
    ),
    "part_failed": Advice(
        "A part of the daemon stopped with an error and is started again after a while.",
        "Look at the log for the line that names the part; `meshnode doctor` checks what it needs.",
    ),
    "second_copy": Advice(
        "A block signed with the key of this device was met that this home never wrote: a copy of the home is in use,"
        " or its store was put back from an older state.",
        "Use each home on one machine only, and `meshnode restore` to move one. This home has taken new keys; your"
        " contacts see one quiet line.",
    ),
    "link_missing": Advice(
        "The interface the node is bound to is not there, or is down.",
        "Nothing, if it comes back by itself: the node waits for it. Else `meshnode doctor` says what is there.",
    ),
    "store_lost": Advice(
        "The home has its keys, but its store was gone or empty when the node started.",
        "Put the old store back while the node is stopped, if there is one. The persona is the same; the device goes on"
        " with a new history, which contacts see as one quiet line. `contact add` your contacts again.",
    ),
    "store_full": Advice(
        "The store has reached its limit with what may not be thrown away, or the disk below it is full.",
        "Free disk space or raise store.limit_mb. Until then the node takes nothing new from others; what you write,"
        " and receipts, still have a reserve of 5 MB.",
    ),
}
UNKNOWN = Advice("See the sentence of the warning.", "`meshnode doctor` checks what the node needs.")


class Health:
    """The warnings that hold."""

    def __init__(self, unix_now: Callable[[], float]) -> None:
        self._unix_now = unix_now
        self._held: dict[str, HealthWarning] = {}

    def note(self, warned: Warned) -> bool:
        """Keep a warning; True if it says something new."""
        before = self._held.pop(warned.code, None)
        advice = ADVICE.get(warned.code, UNKNOWN)
        self._held[warned.code] = HealthWarning(warned.code, warned.text, advice.cause, advice.remedy, self._unix_now())
        while len(self._held) > KEPT:
            del self._held[next(iter(self._held))]
        return before is None or before.text != warned.text

    def clear(self, code: str, text: str = "") -> None:
        """What was wrong is right again; with `text`, if it is that which is held."""
        if not text or (code in self._held and self._held[code].text == text):
            self._held.pop(code, None)

    def held(self) -> tuple[HealthWarning, ...]:
        """All that hold, newest last."""
        return tuple(self._held.values())


def manual() -> str:
    """docs/how-to/warnings.md."""
    lines = [
        "# Warnings",
        "",
        "`meshnode status` shows the warnings that hold, `meshnode watch` tells them as they come. Each has a code, by",
        "which scripts may know it. This page is made from `meshnode/daemon/health.py`",
        "(`python -m meshnode.daemon.health`).",
        "",
        "| code | why | what to do |",
        "|---|---|---|",
    ]
    lines += [f"| `{code}` | {advice.cause} | {advice.remedy} |" for code, advice in sorted(ADVICE.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(manual())
