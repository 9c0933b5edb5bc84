"""Messages over a line: bytes and airtime per message, latency.

    python bench/chat.py                        100 messages of 100 B over 3 hops, one every 2 s
    python bench/chat.py --every 0              as fast as possible
    python bench/chat.py --loss 0.3             with 30 % loss on each link

Paced runs of several systems go at the same time, each on a channel of its own; bursts one after the other.
"""

from __future__ import annotations

import argparse
from typing import Any

import trio
from common import Window, emit, progress, ratios, spread, texts
from systems import System, chosen, open_system

WARM_UP = 3
PATIENCE_S = 300.0


def main() -> None:
    """Parses the words and measures."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--systems", default="meshnode,meshnode+ygg,T,Y")
    words.add_argument("--count", type=int, default=100)
    words.add_argument("--size", type=int, default=100)
    words.add_argument("--hops", type=int, default=3)
    words.add_argument("--every", type=float, default=2.0)
    words.add_argument("--loss", type=float, default=0.0)
    words.add_argument("--seed", type=int, default=1)
    options = words.parse_args()
    results = trio.run(measure, options)
    emit("chat", vars(options), results, ratio_to_T=ratios(results, ["bytes_per_message", "airtime_ms_per_message"]))


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """One result for each system."""
    results: dict[str, Any] = {}
    names = chosen(options.systems)
    if options.every == 0:
        for name in names:
            await one(name, options, results)
        return results
    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(one, name, options, results)
    return {name: results[name] for name in names}


async def one(name: str, options: argparse.Namespace, results: dict[str, Any]) -> None:
    """One system, from cold to a result."""
    first, last = "A", chr(ord("A") + options.hops)
    scenario = (
        f'name = "chat"\nseed = {options.seed}\n[topology]\nshape = "line"\nnodes = {options.hops + 1}\n'
        f'[radio]\nloss = {options.loss}\n[mesh]\ncontacts = [["{first}", "{last}"], ["{last}", "{first}"]]\n'
    )
    async with open_system(name, scenario) as system:
        await trio.sleep(system.settle_s)
        async with trio.open_nursery() as nursery:
            results[name] = await chat(nursery, system, first, last, options)
            nursery.cancel_scope.cancel()


async def chat(
    nursery: trio.Nursery, system: System, first: str, last: str, options: argparse.Namespace
) -> dict[str, Any]:
    """The warm-up, then the window."""
    lines = texts(options.seed, options.count + WARM_UP, options.size)
    async with system.talk(nursery, first, [last]) as talk:
        inbox = talk.inboxes[last]
        with trio.move_on_after(PATIENCE_S):
            for text in lines[:WARM_UP]:
                await talk.send(text)
                await inbox.holds([text])
            await talk.settled()
        await trio.sleep(system.drain_s)
        progress(f"{system.name}: warm, {len(inbox.arrived)} of {WARM_UP}")
        return await window(system, talk, inbox, lines[WARM_UP:], options.every)


async def window(system: System, talk: Any, inbox: Any, lines: list[str], every: float) -> dict[str, Any]:
    """Sends all, waits until all is known, and counts."""
    air, begun, sent = Window(system.lab), trio.current_time(), {}
    for number, text in enumerate(lines):
        await trio.sleep_until(begun + number * every)
        sent[text] = trio.current_time()
        await talk.send(text)
    with trio.move_on_after(PATIENCE_S):
        await inbox.holds(lines)
    seconds = max((inbox.arrived[text] for text in lines if text in inbox.arrived), default=begun) - begun
    with trio.move_on_after(PATIENCE_S) as receipts:
        await talk.settled()
    if every:
        await trio.sleep(every)
    spent = air.close()
    arrived = [text for text in inbox.order if text in sent]
    return {
        "delivered": len(arrived),
        "twice": inbox.twice,
        "in_order": arrived == lines,
        "receipts_complete": not receipts.cancelled_caught,
        "bytes_per_message": round(spent["bytes"] / len(lines), 1),
        "airtime_ms_per_message": round(spent["airtime_s"] * 1000 / len(lines), 2),
        "latency_ms": spread([(inbox.arrived[text] - sent[text]) * 1000 for text in arrived]),
        "seconds": round(seconds, 2),
        "air": spent,
        "late_ms": system.lab.report()["late_ms"],
    }


if __name__ == "__main__":
    main()
