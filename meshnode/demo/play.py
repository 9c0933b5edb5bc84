"""The story: a message crosses a line of lossy hops, and one of its carriers loses power on the way."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import trio

from meshnode.config import LogSection
from meshnode.control.replies import CodeReply, InboxReply, StateReply, StatusReply
from meshnode.control.requests import InboxRequest, SendRequest, SetUpCodeRequest, StatusRequest, WhyRequest
from meshnode.core.ids import NodeKey, PersonaKey
from meshnode.daemon import logs
from meshnode.demo.sky import Sky
from meshnode.demo.village import NAMES, Village
from meshnode.demo.voice import Voice
from meshnode.demo.witness import Witness
from meshnode.errors import UsageError

LOSS = 0.1
TEXT = "soup is ready"
PATIENCE_S = 60.0
DARK_S = 1.0  # how long the killed node stays off
LOOK_S = 0.1
READ_S = 2.0  # how long the note that it was read may take; it is a courtesy, the receipt is the promise


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    delivered: bool
    hops: int
    latency_s: float
    bytes_on_air: int


Tell = Callable[[Outcome, list[Path]], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything the scenes need."""

    village: Village
    sky: Sky
    witness: Witness
    voice: Voice
    names: tuple[str, ...]


async def play(nodes: int, seed: int, tell: Tell, *, serve: bool = False, silent: bool = False) -> None:
    """Run the story and tell what came of it, unless a signal ends it before; with `serve`, go on until one does."""
    if not 2 <= nodes <= len(NAMES):
        raise UsageError(f"the demo has 2 to {len(NAMES)} nodes, not {nodes}")
    logs.set_up(LogSection(level="error"))
    names = NAMES[:nodes]
    voice = Voice(names, silent=silent)
    root = Path(tempfile.mkdtemp(prefix="meshnode-demo-"))
    try:
        async with trio.open_nursery() as nursery:
            sky, witness = Sky(nodes, seed, LOSS), Witness(voice, names)
            pages = (0, nodes - 1) if serve and has_pages() else ()
            village = Village(root, nodes, sky, witness.see, nursery, pages)
            nursery.start_soon(_until_told, nursery.cancel_scope)
            nursery.start_soon(sky.run)
            tell(await _acts(Stage(village, sky, witness, voice, names)), village.homes)
            if serve:
                await _serve(village, voice)
            nursery.cancel_scope.cancel()
    finally:
        shutil.rmtree(root, ignore_errors=True)


async def _until_told(scope: trio.CancelScope) -> None:
    """Ctrl-C and SIGTERM end the play in good order, and leave no homes behind."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


async def _acts(stage: Stage) -> Outcome:
    with trio.move_on_after(PATIENCE_S):
        await _gather(stage)
        return await _message(stage)
    stage.voice.note(f"not delivered within {PATIENCE_S:.0f} s: this is a fault, please report it")
    return Outcome(False, 0, 0.0, stage.sky.bytes_on_air())


async def _gather(stage: Stage) -> None:
    """The nodes are made, find each other, and the key of the last reaches the first."""
    village, voice, names = stage.village, stage.voice, stage.names
    voice.note(f"{len(names)} nodes in a line: {' - '.join(names)}. Each hears only the next; no internet, no root.")
    voice.note(f"One modelled HaLow channel, 0.9 Mbit/s; {LOSS:.0%} of all frames are lost. Real daemons, real disks.")
    voice.note()
    await village.settle()
    async with trio.open_nursery() as starting:
        for node in range(len(names)):
            starting.start_soon(village.start, node)
    for node in range(len(names)):
        status = await village.ask(node, StatusRequest(), StatusReply)
        stage.witness.nodes[NodeKey(bytes.fromhex(status.node))] = node
        if node == stage.witness.reader:
            stage.witness.recipient = PersonaKey(bytes.fromhex(status.persona))
    await village.introduce(0, len(names) - 1)
    voice.say(names[0], f"and {names[-1]} know each other; the first key of {names[-1]} travels as a signed block")
    await stage.witness.key_known.wait()
    voice.say(names[0], f"has the key of {names[-1]}; {stage.sky.bytes_on_air():,} bytes on air so far, for all")


async def _message(stage: Stage) -> Outcome:
    village, voice, witness, names = stage.village, stage.voice, stage.witness, stage.names
    air, began = stage.sky.bytes_on_air(), voice.elapsed()
    witness.text = TEXT
    voice.note()
    voice.say(names[0], f'writes to {names[-1]}: "{TEXT}"')
    async with trio.open_nursery() as nursery:
        if len(names) > 2:
            nursery.start_soon(_power_cut, stage, len(names) // 2)
        nursery.start_soon(_send, stage)
        await witness.arrived.wait()
        latency_s = voice.elapsed() - began
        await village.ask(len(names) - 1, InboxRequest(mark_read=True), InboxReply)
        voice.say(names[-1], "reads it")
    outcome = Outcome(True, len(witness.trail), round(latency_s, 3), stage.sky.bytes_on_air() - air)
    voice.note()
    voice.note(_summary(outcome, names))
    voice.note("(Bytes: every attempt of all nodes from that moment on, beacons, repeats and receipts included.)")
    return outcome


async def _send(stage: Stage) -> None:
    """Ada waits for the receipt, as `send --wait delivered` does; that it was read may come a moment later."""
    request = SendRequest(contact=stage.names[-1], text=TEXT, wait="delivered", timeout_s=PATIENCE_S)
    sent = await stage.village.ask(0, request, StateReply)
    with trio.move_on_after(READ_S):
        while (await stage.village.ask(0, WhyRequest(id=sent.id), StateReply)).state != "read":  # noqa: ASYNC110
            await trio.sleep(LOOK_S)


async def _power_cut(stage: Stage, node: int) -> None:
    """The node loses power when the message is on its disk, before its promise has left the antenna."""
    await stage.witness.taken.setdefault(node, trio.Event()).wait()
    await stage.sky.mute(node).wait()
    stage.village.kill(node)
    stage.voice.say(stage.names[node], "LOSES POWER: the message is on its disk, its proof was never heard")
    await trio.sleep(DARK_S)
    await stage.village.start(node)
    stage.voice.say(stage.names[node], "is back, finds the message on its disk, and looks for its neighbours")


def _summary(outcome: Outcome, names: tuple[str, ...]) -> str:
    cut = ", one carrier lost power on the way" if len(names) > 2 else ""
    hops = f"{outcome.hops} hop" + ("s" if outcome.hops != 1 else "")
    return f"Delivered over {hops} in {outcome.latency_s:.2f} s{cut}; {outcome.bytes_on_air:,} bytes on air."


async def _serve(village: Village, voice: Voice) -> None:
    voice.note()
    voice.note("The nodes stay up until Ctrl-C. From a second terminal:")
    for name, home in zip(village.names, village.homes, strict=True):
        voice.note(f"  {name:<4} meshnode status --home {home}")
    if not has_pages():
        voice.note("With the extra meshnode[web] both ends would serve their pages, too.")
    else:
        await _show_pages(village, voice)
    await trio.sleep_forever()


async def _show_pages(village: Village, voice: Voice) -> None:
    voice.note()
    voice.note("A page for phones at each end of the line; the first visitor with the code is its keeper:")
    for node in (0, len(village.names) - 1):
        page = await village.ask(node, SetUpCodeRequest(), CodeReply)
        voice.note(f"  {village.names[node]:<4} {page.addresses[0]}  set-up code {page.code}")


def has_pages() -> bool:
    """True where the extra that serves pages is installed."""
    return all(find_spec(name) is not None for name in ("starlette", "anycorn"))
