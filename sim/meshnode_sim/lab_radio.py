"""The radio of a lab: the model of level `graph` or of level `radio`, with what a lab asks of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meshnode.air.channel import Attempt, Channel
from meshnode.core.settings import LinkSettings
from meshnode.errors import UsageError
from meshnode_sim.figures import link_settings
from meshnode_sim.medium import Medium
from meshnode_sim.scenario import Scenario


@dataclass(frozen=True, slots=True)
class LabRadio:
    """`links`: who may be cut from whom. `settings`: what a node is told of its radio. `move`: where nodes move, puts
    everybody where they are at a time in seconds."""

    medium: Medium
    links: Sequence[tuple[int, int]]
    settings: Callable[[int], LinkSettings]
    set_loss: Callable[[int, int, int], None]
    move: Callable[[float], None] | None = None


def lab_radio(scenario: Scenario, on_attempt: Callable[[Attempt], None] | None = None) -> LabRadio:
    """As in virtual time. `on_attempt` hears every transmission, which only level `graph` can tell."""
    return _graph(scenario, on_attempt) if scenario.radio.level == "graph" else _places(scenario, on_attempt)


def _graph(scenario: Scenario, on_attempt: Callable[[Attempt], None] | None) -> LabRadio:
    radio = scenario.radio
    channel = Channel(
        scenario.world(),
        scenario.seed,
        retries=radio.retries,
        queue_frames=radio.queue_frames,
        on_attempt=on_attempt,
    )
    return LabRadio(
        channel,
        [(link.src, link.dst) for link in channel.topology.links],
        lambda node: link_settings(scenario),
        lambda src, dst, loss: channel.set_link(src, dst, loss=loss),
    )


def _places(scenario: Scenario, on_attempt: Callable[[Attempt], None] | None) -> LabRadio:
    if on_attempt is not None:
        raise UsageError('the lab captures at level "graph" alone; `meshnode-sim run --pcap` captures this one')
    try:
        from meshnode_sim.sky import Sky  # numpy and scipy are an extra
    except ModuleNotFoundError as error:
        raise UsageError(f"level \"radio\" needs {error.name}: pip install 'meshnode[sim]'") from error
    sky, count = Sky(scenario), range(len(scenario.names))
    return LabRadio(
        sky.medium,
        [(one, other) for one in count for other in count if one != other],
        sky.link_settings,
        sky.medium.disturb,
        sky.move if sky.moving else None,
    )
