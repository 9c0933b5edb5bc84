"""Captures and traces of simulated runs, read back by scapy in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from meshnode.core.ids import NeighbourId
from meshnode.core.wire.codec import encode_frames
from meshnode.core.wire.frames import Beacon, Echo, Fragment, Took
from meshnode.daemon.capture import PcapngFile, Seen
from meshnode_sim.cli import run
from meshnode_sim.pcap import Capture
from meshnode_sim.sniffer import as_ethernet, described_untrusted

TOOL = Path(__file__).parents[2] / "tools" / "meshnode_scapy.py"


def dissected(file: Path, *words: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(TOOL), str(file), *words], capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("line")
    words = ["--until", "30", "--pcap", str(folder / "x.pcapng"), "--trace", str(folder / "x.jsonl")]
    assert run(["run", "line", *words]) == 0
    return folder


def test_a_run_is_dissected_datagram_by_datagram(line: Path) -> None:
    *packets, total = dissected(line / "x.pcapng").splitlines()
    assert total == f"{len(packets)} Datagram"
    assert len(packets) > 50
    assert all("Ether / IPv6 / UDP / meshnode" in packet for packet in packets)
    times = [float(packet.split()[0]) for packet in packets]
    assert times == sorted(times)


def test_its_comments_say_who_decoded_what(line: Path) -> None:
    data = (line / "x.pcapng").read_bytes()
    assert b"heard by B: hello" in data
    assert b": envelope" in data
    assert b"heard by A, C: beacon" in data


def test_the_same_run_gives_the_same_file(line: Path, tmp_path: Path) -> None:
    assert run(["run", "line", "--until", "30", "--pcap", str(tmp_path / "y.pcapng")]) == 0
    assert (tmp_path / "y.pcapng").read_bytes() == (line / "x.pcapng").read_bytes()


def test_a_trace_tells_the_way_of_a_message(line: Path) -> None:
    events = [json.loads(text) for text in (line / "x.jsonl").read_text().splitlines()]
    first = [event for event in events if event["message"] == 0]
    assert first[0]["what"] == "written"
    assert [event["from"] for event in first if event["what"] == "kept"] == list("ABCD")
    assert {event["what"]: event for event in first}["shown"]["hops"] == 4
    assert [event["at_s"] for event in events] == sorted(event["at_s"] for event in events)


def test_udp_and_its_checksum_are_what_others_expect(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "c.pcapng", ["A", "B"], 0)
    capture.close()
    packet = as_ethernet(0, 1, b"odd")
    assert packet[:6] == bytes.fromhex("020000000002")
    assert packet[12:14] == b"\x86\xdd"
    assert len(packet) == 14 + 40 + 8 + 3
    words = packet[22:54] + (11).to_bytes(4, "big") + (17).to_bytes(4, "big") + packet[54:] + b"\0"
    total = sum(int.from_bytes(words[at : at + 2], "big") for at in range(0, len(words), 2))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF


def test_an_opened_capture_is_dissected_frame_by_frame(tmp_path: Path) -> None:
    beacon = Beacon(1, 1, 4, bytes(range(8)), b"envl", (Echo(b"ab", b"cd"),))
    fragment = Fragment(b"itemitem", 2, 3, b"piece")
    file = PcapngFile(tmp_path / "o.pcapng")
    file.add(Seen("sent to all", encode_frames([beacon, Took((NeighbourId(bytes(16)),)), fragment], 1171)))  # type: ignore[arg-type]
    file.close()
    assert dissected(tmp_path / "o.pcapng").splitlines()[-1] == "1 Beacon, 1 Took, 1 Fragment"
    whole = dissected(tmp_path / "o.pcapng", "--show")
    assert "frontier  = 0001020304050607" in whole
    assert "neighbour = 6162" in whole
    assert "index     = 2" in whole


def test_what_does_not_decode_is_said() -> None:
    assert described_untrusted(b"").startswith(("refused", ""))
    assert described_untrusted(b"\x02").startswith("refused (")
