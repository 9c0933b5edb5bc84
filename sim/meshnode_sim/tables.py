"""The tables of a scenario that only the simulator plays: traffic, faults, the processor, what is expected."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Positive = Annotated[float, Meta(gt=0)]
Seconds = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]
Action = Literal["send", "post", "kill", "stop", "start", "restart", "off", "on", "cut", "join", "run"]


class ActionTable(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that is done at one time."""

    at_s: Seconds
    do: Action
    node: str
    to: str | None = None  # send: a contact; cut, join: the other end of the link
    channel: str = "square"
    text: str = ""
    command: tuple[str, ...] = ()  # run: words for meshnode on that node
    every_s: Positive | None = None
    times: Annotated[int, Meta(ge=1)] = 1


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


class EnergyTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Currents of a radio by what it does, and of the board beside it; the battery.

    The radio's are those of a Taixin TXW8301 (module specification V6.2), which listens whenever it does not talk.
    """

    volts: Positive = 3.3
    tx_ma: Seconds = 300.0
    rx_ma: Seconds = 100.0
    idle_ma: Seconds = 100.0
    host_ma: Seconds = 0.0
    battery_mah: Positive = 10_000.0


class ExpectTable(Struct, frozen=True, forbid_unknown_fields=True):
    """What must come of a run; `meshnode-sim run` fails with a sentence where it does not."""

    delivery_ratio_min: Share | None = None
    post_ratio_min: Share | None = None
    latency_p95_max_s: Positive | None = None
    utilisation_max: Share | None = None
    airtime_max_s: Positive | None = None
    node_airtime_max_s: Positive | None = None  # of each node that runs the core
    duty_max: Share | None = None  # of the time, what any radio sent


class PlaceTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a node is, in metres on a flat map."""

    name: str
    x_m: float
    y_m: float


class PropagationTable(Struct, frozen=True, forbid_unknown_fields=True):
    """How signals travel, and how strong they are; propagation.py has the models.

    `eirp_dbm`: 20 when left out, or what the country allows if that is less (lawful.py).
    """

    model: Literal["macro", "pico", "free_space", "two_ray", "log_distance"] = "pico"
    mhz: Annotated[float, Meta(ge=700, le=1000)] = 915.0
    eirp_dbm: Annotated[float, Meta(ge=-30, le=40)] | None = None
    antenna_dbi: Annotated[float, Meta(ge=-20, le=20)] = 2.0
    exponent: Annotated[float, Meta(ge=1, le=8)] = 3.5  # log_distance
    reference_db: Annotated[float, Meta(ge=0, le=100)] = 31.5  # log_distance: the loss at one metre
    antenna_m: Annotated[float, Meta(ge=0.1, le=1000)] = 2.0  # two_ray: how high both antennas are above the ground
    shadowing_db: Annotated[float, Meta(ge=0, le=20)] = 0.0
    correlation_m: Annotated[float, Meta(ge=0.1)] = 50.0
    profile: Literal["standard", "chip"] = "chip"


class WallTable(Struct, frozen=True, forbid_unknown_fields=True):
    """A straight line on the map, x and y in metres, that takes so much from what crosses it; terrain.py plays it."""

    from_m: tuple[float, float]
    to_m: tuple[float, float]
    loss_db: Annotated[float, Meta(ge=0, le=200)]


class LossTable(Struct, frozen=True, forbid_unknown_fields=True):
    """What is lost from antenna to antenna between two nodes that stay where they are, as somebody measured it."""

    a: str
    b: str
    loss_db: Annotated[float, Meta(ge=0, le=300)]


class StopTable(Struct, frozen=True, forbid_unknown_fields=True):
    """A moment and a place of a timetable."""

    at_s: Seconds
    x_m: float
    y_m: float


class RouteTable(Struct, frozen=True, forbid_unknown_fields=True):
    """A node that moves by a timetable, in a straight line from stop to stop, and begins anew every `period_s`."""

    node: str
    stops: Annotated[tuple[StopTable, ...], Meta(min_length=1)]
    period_s: Positive | None = None


class WalkTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Nodes that walk from one random place of an area to the next (random waypoint)."""

    nodes: tuple[str, ...] = ()  # everybody when left out
    area_m: tuple[Positive, Positive] = (1000.0, 1000.0)
    speed_mps: tuple[Positive, Positive] = (0.5, 2.0)
    pause_s: Seconds = 60.0


class FaultTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Something goes wrong at `at_s`, and is right again after `for_s` (never, when left out).

    `partition`: `nodes` and all others do not hear each other. `crash`: `nodes` go off. `churn`: each of them goes off
    and on at random, with these means. `loss`: whatever `nodes` send or should hear is lost with that chance; `bursts`:
    while it is bad, which comes and goes with the means of churn. `skew`: their clocks jump by `skew_s`, and drift by
    `drift_ppm` from then on. `corrupt`, `duplicate`, `reorder`: a `share` of the frames that `nodes` send or receive
    has a bit wrong, comes twice, or comes up to `delay_s` late. `jam`: level radio: a transmitter at a place that knows
    no turns, a `share` of the time; whoever hears it better than 3 dB below the wanted signal decodes nothing then.
    """

    kind: Literal["partition", "crash", "churn", "loss", "bursts", "skew", "corrupt", "duplicate", "reorder", "jam"]
    at_s: Seconds = 0.0
    for_s: Positive | None = None
    nodes: tuple[str, ...] = ()  # everybody when left out; a partition needs them
    disk: Literal["kept", "torn", "lost"] = "torn"  # crash, churn: process killed, power cut, card gone
    up_s: Positive = 3600.0  # churn
    down_s: Positive = 600.0  # churn
    loss: Share = 0.5
    skew_s: float = 0.0
    drift_ppm: float = 0.0
    share: Share = 0.1  # corrupt, duplicate, reorder, jam
    delay_s: Positive = 1.0  # reorder
    x_m: float = 0.0  # jam
    y_m: float = 0.0
    eirp_dbm: Annotated[float, Meta(ge=-30, le=40)] = 20.0


class PeeringTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Two nodes of the overlay that are peered: a line between them with the same rate and delay each way."""

    a: str
    b: str
    rate_bps: Count
    delay_s: Seconds = 0.0
    loss: Share = 0.0  # of each segment, repeated by TCP
    up_s: tuple[tuple[Seconds, Seconds], ...] = ()
    period_s: Positive | None = None


class OverlayTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Peerings, who only carries, and which bridges hold sessions with each other over them."""

    links: tuple[PeeringTable, ...] = ()
    relays: tuple[str, ...] = ()  # no nodes of the mesh: they carry, and never fail
    sessions: tuple[tuple[str, str], ...] = ()
