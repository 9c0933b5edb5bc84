"""The page of a run in a real browser, from a file: it draws, plays, tells a message's journey, compares two runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.film import MOMENTS
from meshnode_sim.page import page
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import simulate
from support.phones import DESK, Phones, barriers, tell

pytestmark = pytest.mark.browser

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
"""


def written(folder: Path, name: str, *changes: str) -> Path:
    file = folder / f"{name}.html"
    outcome = simulate(parse(LINE, changes=[f"name={name}", *changes]), until_ns=60 * SECOND_NS, filmed=True)
    file.write_text(page(outcome), encoding="utf-8")
    return file


async def test_a_planner_looks_at_a_run(tmp_path: Path) -> None:
    soup, bread = written(tmp_path, "soup"), written(tmp_path, "bread", "seed=7")
    (tmp_path / "letter.html").write_text("<p>Dear Ada</p>")

    def story(phones: Phones) -> None:
        seen = phones.open(soup.as_uri(), device=DESK)
        expect(seen.get_by_text("all of which arrived")).to_be_visible()
        drawn = seen.locator("#map")
        expect(drawn.locator("circle")).to_have_count(3)
        expect(drawn.locator("circle.off")).to_have_count(1)  # it begins with the end, where C has no power
        expect(seen.locator("#latency svg rect").first).to_be_attached()
        expect(seen.locator("#airtime svg rect").first).to_be_attached()
        assert barriers(seen) == []

        whole = drawn.get_attribute("viewBox") or ""
        seen.get_by_role("button", name="farther").click()
        seen.get_by_role("button", name="closer").click()
        seen.get_by_role("button", name="closer").click()
        near = drawn.get_attribute("viewBox") or ""
        assert float(near.split()[2]) == pytest.approx(0.8 * float(whole.split()[2]))
        seen.get_by_label("message").select_option(index=1)
        told = seen.locator("#journey")
        expect(told).to_contain_text(re.compile(r"Written by A to C at 00:00:10\. A → B after .*, B → C after"))
        expect(told).to_contain_text("Its author knew after")
        expect(drawn.locator("line.way")).to_have_count(2)
        expect(drawn.locator("circle.has")).to_have_count(3)
        expect(drawn.locator("line[style*='rgb']").first).to_be_attached()  # what carries something then has a colour

        seen.get_by_label("time", exact=True).fill(str(MOMENTS - 3))
        seen.get_by_role("button", name="Play").click()  # and it stops at the end by itself
        expect(seen.get_by_role("button", name="Play")).to_be_visible()
        expect(seen.get_by_label("time", exact=True)).to_have_value(str(MOMENTS - 1))

        other = seen.get_by_label("beside the page of another run")
        other.set_input_files(bread)
        expect(seen.get_by_text("On the right: bread.")).to_be_visible()
        expect(seen.locator("td.other")).to_have_count(seen.locator("table.facts th").count())
        seed = seen.get_by_role("row", name=re.compile("^seed"))
        expect(seed.locator("td.differs")).to_have_text("7")
        other.set_input_files(tmp_path / "letter.html")
        expect(seen.get_by_text("That is no page of a run.")).to_be_visible()
        expect(seen.locator("td.other")).to_have_count(0)

    await tell(story)
