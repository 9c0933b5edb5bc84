"""Contact traces: read strictly, played exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshnode.errors import ConfigError
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.contacts import Contact, read_contacts
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import simulate

NAMES = {"ada": 0, "bo": 1, "cy": 2}


def read(tmp_path: Path, text: str) -> list[Contact]:
    path = tmp_path / "trace.txt"
    path.write_text(text)
    return read_contacts(path, NAMES)


def test_names_and_numbers(tmp_path: Path) -> None:
    assert read(tmp_path, "# from elsewhere\n0 CONN 1 0 up\n\n2.5 CONN ada bo down\n3 CONN cy 1 up\n") == [
        Contact(0, 0, 1, True),
        Contact(2_500_000_000, 0, 1, False),
        Contact(3_000_000_000, 1, 2, True),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("5 CONN 0 1 up\n4 CONN 0 1 down", ":2: time goes back from 5 to 4 s"),
        ("1 CONN 0 0 up", ":1: node 0 meets itself"),
        ("1 CONN 0 3 up", ":1: there is no node 3 among 3"),
        ("1 CONN 0 1 maybe", ":1: a contact is"),
        ("soon CONN 0 1 up", ":1: soon is no time"),
        ("inf CONN 0 1 up", ":1: inf is no time of a run"),
        ("1 CONN \u00b2 1 up", ":1: there is no node"),
        ("1 CONN " + "9" * 5000 + " 1 up", ":1: there is no node 9999"),
    ],
)
def test_what_makes_no_sense_is_named_with_its_line(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        read(tmp_path, text)


def test_recordings_of_two_devices_are_one_contact(tmp_path: Path) -> None:
    """As The ONE reads them: what has begun does not begin again, and its first end is its end."""
    twice = "1 CONN p0 p1 up\n2 CONN 1 0 UP wlan\n5 CONN 0 1 down\n6 CONN 0 1 down\n"
    assert read(tmp_path, twice) == [Contact(1_000_000_000, 0, 1, True), Contact(5_000_000_000, 0, 1, False)]


def test_a_device_that_never_ends_is_no_trace() -> None:
    with pytest.raises(ConfigError, match="is no file"):
        read_contacts(Path("/dev/zero"), NAMES)


def test_a_message_travels_by_the_meetings_alone(tmp_path: Path) -> None:
    meetings = ("20 CONN ada bo up", "60 CONN ada bo down", "100 CONN bo cy up", "160 CONN bo cy down")
    again = ("200 CONN ada bo up", "260 CONN ada bo down", "300 CONN bo cy up")
    (tmp_path / "trace.txt").write_text("\n".join((*meetings, *again)))
    scenario = parse(
        '[topology]\nshape = "trace"\ntrace = "trace.txt"\nnames = ["ada", "bo", "cy"]\n'
        '[[actions]]\nat_s = 5\ndo = "post"\nnode = "ada"\ntext = "to all"\n'
        '[[actions]]\nat_s = 6\ndo = "send"\nnode = "cy"\nto = "ada"\ntext = "hello"\n'
    )
    outcome = simulate(scenario, until_ns=400 * SECOND_NS, folder=tmp_path)
    post, message = outcome.world.probe.written.values()
    arrivals = {node: at_ns / SECOND_NS for node, (at_ns, _) in post.arrivals.items()}
    assert 20 < arrivals[1] < 60
    assert 100 < arrivals[2] < 160
    [(at_ns, _)] = message.arrivals.values()
    assert 200 < at_ns / SECOND_NS < 260


def test_a_trace_belongs_to_its_shape() -> None:
    for text in ('shape = "trace"\nnodes = 2', 'shape = "line"\nnodes = 2\ntrace = "x"'):
        with pytest.raises(ConfigError, match="`trace`"):
            parse(f"[topology]\n{text}\n")
