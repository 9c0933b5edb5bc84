"""Requests one node may ask of any other: what it says of itself, its neighbours, the places it knows.

    02 01   node info?      02 02   JSON           02 ff 03   peers?   02 ff 04   keys of 32 bytes
    02 ff 01  self?         02 ff 02  JSON         02 ff 05   tree?    02 ff 06   keys of 32 bytes

An answer is told from another by who sent it only, so one of each kind is waited for from one key.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import Enum

from meshnode.errors import WireError
from meshnode.overlay.embedded.routing.budget import Budget
from meshnode.overlay.embedded.wire.keys import KEY_SIZE

LARGEST_INFO = 16384
MOST_KEYS = 2000  # in an answer: what fits in a payload
ANSWER_BURST, ANSWER_RATE = 50, 20
ASK_FOR_S = 6.0
MOST_ASKED = 256


class Question(Enum):
    """What can be asked, with the bytes of question and answer."""

    INFO = (b"\x02\x01", b"\x02\x02")
    SELF = (b"\x02\xff\x01", b"\x02\xff\x02")
    PEERS = (b"\x02\xff\x03", b"\x02\xff\x04")
    TREE = (b"\x02\xff\x05", b"\x02\xff\x06")


Answer = Callable[[bytes | None], None]  # the body, or None when there was none in time


class Requests:
    """Answers questions, and waits for answers. `answers` makes the body of ours."""

    def __init__(self, answers: Callable[[Question], bytes], send: Callable[[bytes, bytes, float], None]) -> None:
        self._answers = answers
        self._send = send
        self._asked: dict[tuple[Question, bytes], tuple[float, list[Answer]]] = {}
        self._budget = Budget(ANSWER_BURST, ANSWER_RATE)

    def ask(self, question: Question, key: bytes, answer: Answer, now: float) -> None:
        """Ask a node; `answer` is called once, within six seconds."""
        waiting = self._asked.get((question, key))
        if waiting is None and len(self._asked) >= MOST_ASKED:
            answer(None)
            return
        others = waiting[1] if waiting else []
        self._asked[question, key] = (now + ASK_FOR_S, [*others, answer])
        self._send(key, question.value[0], now)

    def receive_untrusted(self, source: bytes, message: bytes, now: float) -> None:
        """A question or an answer; what is neither is left alone."""
        for question in Question:
            asked, answered = question.value
            if message == asked and self._budget.spend(now):
                self._send(source, answered + self._answers(question), now)
            elif message.startswith(answered) and (question, source) in self._asked:
                self._finish(question, source, message[len(answered) :])

    def expire(self, now: float) -> None:
        """Give up what was not answered."""
        for question, source in [asked for asked, (until, _) in self._asked.items() if until <= now]:
            self._finish(question, source, None)

    def _finish(self, question: Question, source: bytes, body: bytes | None) -> None:
        for answer in self._asked.pop((question, source))[1]:
            answer(body)


def decode_object_untrusted(body: bytes) -> dict[str, object]:
    """A JSON object; WireError for anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError("an answer is no JSON") from error
    if not isinstance(value, dict):
        raise WireError("an answer is no JSON object")
    return value


def decode_keys_untrusted(body: bytes) -> list[bytes]:
    """Keys of 32 bytes in a row; WireError for a remainder."""
    if len(body) % KEY_SIZE:
        raise WireError("an answer is not made of whole keys")
    return [body[at : at + KEY_SIZE] for at in range(0, len(body), KEY_SIZE)]
