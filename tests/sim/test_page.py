"""The page of a run: it stands alone, says what happened, and holds what its script draws."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from meshnode.errors import UsageError
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.cli import run
from meshnode_sim.film import MOMENTS
from meshnode_sim.page import check_able, page
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import Outcome, simulate
from meshnode_sim.telling import sentence, span

LINE = """
name = "soup <b>"
[topology]
shape = "line"
nodes = 3
[[actions]]
at_s = 10
do = "send"
node = "A"
to = "C"
text = "soup is ready"
[[actions]]
at_s = 30
do = "post"
node = "B"
text = "come"
[[actions]]
at_s = 50
do = "off"
node = "C"
[expect]
delivery_ratio_min = 1.0
latency_p95_max_s = 0.000001
"""


@pytest.fixture(scope="module")
def line() -> Outcome:
    return simulate(parse(LINE), until_ns=60 * SECOND_NS, filmed=True)


def data_of(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_it_fetches_nothing_and_leaves_no_mark_of_a_template(line: Outcome) -> None:
    text = page(line)
    assert not re.search(r"(src|href)=|url\(|@import|https?://(?!www\.w3\.org/2000/svg)", text)
    assert "soup &lt;b&gt;" in text
    assert not re.search(r"\$[a-z]+\b", text)


def test_it_says_what_was_expected_and_what_came(line: Outcome) -> None:
    text = page(line)
    assert "✓ expected at least 100 % of the messages to arrive, and it was 100 %" in text
    assert "✗ expected at most 1e-06 s until 95 % of what arrived was there" in text
    assert "In 1 minute, 3 nodes wrote 1 message, all of which arrived" in text


def test_its_data_tell_the_way_of_a_message(line: Outcome) -> None:
    data = data_of(page(line))
    direct, post = data["messages"]
    assert [step[1:] for step in direct["way"]] == [[0, 1], [1, 2]]
    assert direct["arrivals"][0][0] == 2
    assert direct["receipt"] > direct["at"] == 10
    assert sorted(step[1:] for step in post["way"]) == [[1, 0], [1, 2]]
    assert data["hops"] == [["1", 2], ["2", 1]]
    assert sum(number for _, number in data["latency"]) == 3


def test_its_data_tell_links_power_and_airtime(line: Outcome) -> None:
    data = data_of(page(line))
    assert sorted(link[:2] for link in data["links"]) == [[0, 1], [1, 2]]
    assert all(0 <= int(moment) < MOMENTS for link in data["links"] for moment in link[2])
    assert len(data["off"]) == len(data["airtime"]) == MOMENTS
    assert data["off"][-1] == [2]
    total = sum(sum(row.values()) for row in data["per_node"])
    assert total == pytest.approx(line.report["air"]["airtime_s"], abs=0.01)


def test_its_map_has_the_sessions_over_the_overlay(line: Outcome) -> None:
    overlay = '[overlay]\nlinks = [{ a = "A", b = "C", rate_bps = 1_000_000 }]\nsessions = [["A", "C"]]\n'
    bridged = simulate(parse(LINE + overlay), until_ns=SECOND_NS, filmed=True)
    assert data_of(page(bridged))["sessions"] == [[0, 2]]
    assert data_of(page(line))["sessions"] == []


def test_a_film_changes_nothing(line: Outcome) -> None:
    assert simulate(parse(LINE), until_ns=60 * SECOND_NS).report["fingerprint"] == line.report["fingerprint"]


def test_nodes_that_move_have_their_places_at_each_moment(tmp_path: Path) -> None:
    file = tmp_path / "bus.html"
    changes = ["--set", "expect.delivery_ratio_min=0.0", "--set", "expect.post_ratio_min=0.0"]
    assert run(["run", "bus", "--until", "100", *changes, "--report", str(file)]) == 0
    data = data_of(file.read_text(encoding="utf-8"))
    assert data["metres"]
    assert len(data["places"]) == MOMENTS
    assert data["places"][0][4] != data["places"][-1][4]
    assert data["places"][0][0] == data["places"][-1][0]


def test_without_the_extra_one_sentence_names_it_before_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("meshnode_sim.page.find_spec", lambda name: None)
    assert run(["run", "line", "--report", "x.html"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "pip install 'meshnode[sim]'" in said.err
    check_able(parse('[topology]\nshape = "grid"\nnodes = 4\n[radio]\nlevel = "radio"\nwidth_mhz = 2\n'))


def test_a_page_needs_a_film() -> None:
    with pytest.raises(UsageError, match="filmed"):
        page(simulate(parse('[topology]\nshape = "line"\nnodes = 2\n'), until_ns=SECOND_NS))


def test_a_page_that_cannot_be_written_is_said_before_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "line", "--report", "/nowhere/x.html"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "there is no folder /nowhere" in said.err


def test_a_run_without_words_is_told_too() -> None:
    quiet = simulate(parse('[topology]\nshape = "line"\nnodes = 2\n'), until_ns=SECOND_NS)
    assert sentence(quiet.report).startswith("In 1 second, 2 nodes wrote nothing")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (1, "1 second"),
        (90, "90 seconds"),
        (120, "2 minutes"),
        (3600, "1 hour"),
        (5400, "90 minutes"),
        (604800, "7 days"),
    ],
)
def test_spans_in_words(seconds: float, said: str) -> None:
    assert span(seconds) == said
