"""The tables of a scenario that only the simulator plays: traffic, faults, the processor, what is expected."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Positive = Annotated[float, Meta(gt=0)]
Seconds = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]


class TrafficTable(Struct, frozen=True, forbid_unknown_fields=True, rename={"class_": "class"}):
    """People write: at random moments (`poisson`), at given ones (`schedule`), or as a file says (`replay`).

    A file for `replay` has lines `time C id from to size`, as simulators of delay-tolerant networks write them.
    """

    pattern: Literal["poisson", "schedule", "replay"]
    what: Literal["send", "post"] = "send"
    writers: tuple[str, ...] = ()  # everybody when left out
    to: tuple[str, ...] = ()  # anybody when left out
    nearest: Count | None = None  # of all recipients only so many, the fewest hops (or metres) away
    every_s: Positive | None = None  # poisson: mean time between two words of one writer
    at_s: tuple[Seconds, ...] = ()  # schedule
    file: str = ""  # replay
    start_s: Seconds = 0.0
    end_s: Positive | None = None
    octets: Annotated[int, Meta(ge=1, le=4096)] = 40
    class_: Annotated[int, Meta(ge=0, le=4)] = 2


class ProcessorTable(Struct, frozen=True, forbid_unknown_fields=True):
    """What work costs on every node, in microseconds; `crypto = "real"` computes each answer anew."""

    verify_us: Seconds = 1150.0
    sign_us: Seconds = 400.0
    agree_us: Seconds = 1000.0
    hpke_us: Seconds = 3000.0
    step_us: Seconds = 300.0
    crypto: Literal["shared", "real"] = "shared"


class ExpectTable(Struct, frozen=True, forbid_unknown_fields=True):
    """What must come of a run; `meshnode-sim run` fails with a sentence where it does not."""

    delivery_ratio_min: Share | None = None
    post_ratio_min: Share | None = None
    latency_p95_max_s: Positive | None = None
    utilisation_max: Share | None = None
    airtime_max_s: Positive | None = None
