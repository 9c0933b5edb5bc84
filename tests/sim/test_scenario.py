"""Scenarios: what they mean, and one sentence with file and line for each way to get them wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshnode.air.airtime import PlainRate, S1gRate
from meshnode.air.draws import chance
from meshnode.errors import ConfigError, UsageError
from meshnode_sim import library
from meshnode_sim.scenario import letters, load, parse, rates
from meshnode_sim.tables import ExpectTable

LINE = '[topology]\nshape = "line"\nnodes = 3\n'


def test_a_short_file_is_a_whole_scenario() -> None:
    scenario = parse(LINE)
    assert scenario.names == ("A", "B", "C")
    assert scenario.run_of("B").overlay == "none"
    assert scenario.world().rate == PlainRate(1_000_000)
    assert {(link.src, link.dst) for link in scenario.world().links} == {(0, 1), (1, 0), (1, 2), (2, 1)}


def test_names_go_on_after_z() -> None:
    assert [letters(n) for n in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


def test_listed_links_replace_those_of_the_shape() -> None:
    scenario = parse(
        LINE + 'links = [{ a = "B", b = "C", loss = 0.5, rate_bps = 150_000 }, { a = "A", b = "C", one_way = true }]\n'
        "[radio]\nloss = 0.1\n"
    )
    links = {(link.src, link.dst): link for link in scenario.world().links}
    assert set(links) == {(0, 1), (1, 0), (1, 2), (2, 1), (0, 2)}
    assert links[0, 1].loss == links[0, 2].loss == chance(0.1)
    assert (links[2, 1].loss, links[2, 1].rate) == (chance(0.5), PlainRate(150_000))


def test_nodes_of_listed_links_need_no_other_list() -> None:
    scenario = parse(
        '[topology]\nshape = "links"\nlinks = [{ a = "mill", b = "church", up_s = [[0, 30]], period_s = 60 }]'
    )
    assert scenario.names == ("church", "mill")
    [link, _] = scenario.world().links
    assert [link.is_up(at * 10**9) for at in (0, 29, 30, 59, 60)] == [True, True, False, False, True]


def test_a_mode_of_the_standard_instead_of_rates() -> None:
    scenario = parse(LINE + "[radio]\nwidth_mhz = 2\nmcs = 7\nshort_gi = true\n")
    assert rates(scenario.radio) == (S1gRate(2, 7, short_gi=True), S1gRate(1, 0))


def test_own_words_of_a_node_come_before_those_for_all() -> None:
    scenario = parse(LINE + '[nodes]\noverlay = "system"\noptions = ["--x"]\n[node.B]\noverlay = "none"\nstart_s = 5\n')
    assert (scenario.run_of("A").overlay, scenario.run_of("B").overlay) == ("system", "none")
    assert (scenario.run_of("B").options, scenario.run_of("B").start_s) == (("--x",), 5)


def test_contacts() -> None:
    assert len(parse(LINE).contacts) == 6
    assert parse(LINE + '[mesh]\ncontacts = "none"\n').contacts == []
    assert parse(LINE + '[mesh]\ncontacts = [["A", "C"]]\n').contacts == [("A", "C")]


ONCE = '{ a = "A", b = "C", rate_bps = 1_000_000 }'
PEERED = LINE + f"[overlay]\nlinks = [{ONCE}]\n"
PLACED = LINE + '[radio]\nlevel = "radio"\nwidth_mhz = 2\n'
WRONG = [
    (LINE + "[radio]\nrate = 5\n", r"x\.toml:5: at radio: there is no key `rate` here"),
    (LINE + "[radio]\nwidth_mhz = 2\nmcs = 9\n", r"x\.toml:6: 802\.11ah has no MCS 9 at 2 MHz"),
    (LINE + '[radio]\nwidth_mhz = 2\ncountry = "EU"\n', r"x\.toml:5: EU has no channel of 2 MHz.* may be 1$"),
    (LINE + '[radio]\nwidth_mhz = 2\ncountry = "XX"\n', r"x\.toml:6: no region file covers 'XX'"),
    ("for_s = inf\n" + LINE, r"x\.toml:1: `for_s` is inf: numbers go up to 1e\+12"),
    (LINE + '[[faults]]\nkind = "skew"\nskew_s = -1e300\n', r"x\.toml:6: `skew_s` is -1e\+300"),
    (LINE + '[[faults]]\nkind = "skew"\nskew_s = nan\n', r"x\.toml:6: `skew_s` is nan"),
    ("seed = 99999999999999999999\n" + LINE, r"x\.toml:1: `seed` is 9+: give one of 64 bits"),
    (LINE + '[[faults]]\nkind = "churn"\nup_s = 1e-9\n', r"x\.toml:6: .*faster than the air"),
    (LINE + '[[traffic]]\npattern = "poisson"\n', "needs `every_s`"),
    (LINE + '[[traffic]]\npattern = "schedule"\n', "needs `at_s`"),
    (LINE + '[[traffic]]\npattern = "replay"\n', "needs `file`"),
    (LINE + '[[actions]]\nat_s = 3\ndo = "send"\nnode = "B"\n', "sends to nobody: give `to`"),
    (LINE + '[[actions]]\nat_s = 3\ndo = "send"\nnode = "B"\nto = "B"\n', r"x\.toml:8: .*sends B a message of its own"),
    (LINE + '[[actions]]\nat_s = 3\ndo = "post"\nnode = "B"\ntimes = 1_000_000_000\n', r"x\.toml:8: .*`times` goes up"),
    (
        '[topology]\nshape = "links"\nlinks = [\n{ a = "A", b = "B", up_s = [[5, 1]] }]\n',
        r"x\.toml:4: .*from A to B has `up_s` from 5 to 1 s",
    ),
    ('[topology]\nshape = "links"\nlinks = [{ a = "A", b = "B", up_s = [[0, 9]], period_s = 5 }]\n', "anew every 5 s"),
    (PLACED + "[[walks]]\nspeed_mps = [2, 1]\n", r"x\.toml:\d+: `speed_mps` goes from 2 down to 1"),
    (PLACED + '[[routes]]\nnode = "A"\nstops = [{ at_s = 0, x_m = 0, y_m = 0 }]\n' * 2, "has A twice"),
    (LINE + "colour = 1\n", r"x\.toml:4: at topology: there is no key `colour`"),
    (LINE + "[radio]\nloss = 2\n", r"x\.toml:5: at radio\.loss: .*<= 1"),
    (LINE + "[radio]\nloss = -0.1\n", r"x\.toml:5: at radio\.loss: .*>= 0"),
    (LINE + '[radio]\nrate_bps = "fast"\n', r"x\.toml:5: at radio\.rate_bps: Expected `int"),
    (LINE + '[[actions]]\nat_s = 1\ndo = "dance"\nnode = "A"\n', r"at actions\[0\]\.do: Invalid enum"),
    (
        LINE + '[[actions]]\nat_s = 1\ndo = "kill"\nnode = "Z"\n',
        "names Z, and no node is called that: there are A, B, C",
    ),
    (LINE + '[node.Q]\noverlay = "none"\n', "names Q"),
    (LINE + "[radio]\nwidth_mhz = 2\nmcs = 9\n", "no MCS 9 at 2 MHz"),
    (LINE + "[radio]\nwidth_mhz = 2\nrate_bps = 9\n", "both a rate in bit/s and a mode"),
    ('[topology]\nshape = "line"\n', "needs `nodes`"),
    ('[topology]\nshape = "line"\nnames = ["A", "A"]\n', "same name"),
    ('[topology]\nshape = "ferry"\nnodes = 4\n', "odd number"),
    ('[topology]\nshape = "blob"\nnodes = 4\n', "topology.shape"),
    ("[topology\n", "is not TOML"),
    ("", "topology"),
    (LINE + 'links = [{ a = "A", b = "D" }]\n', "a link names D"),
    (LINE + 'links = [{ a = "A", b = "A" }]\n', "no link from node 0 to node 0"),
    (PEERED + 'relays = ["A"]\n', "name twice, or that of a node"),
    (PEERED + 'sessions = [["A", "Z"]]\n', r"x\.toml:6: a session of \[overlay\] names Z, and no node .*: there are A"),
    (PEERED + 'sessions = [["A", "A"]]\n', "joins A with itself"),
    (LINE + '[overlay]\nsessions = [["A", "B"]]\n', "no `links`"),
    (LINE + '[overlay]\nlinks = [{ a = "A", b = "C", rate = 5 }]\n', r"x\.toml:5: at overlay.*no key `rate` here"),
    (LINE + '[overlay]\nlinks = [{ a = "A", b = "C" }]\n', r"x\.toml:5: at overlay\.links.*`rate_bps`"),
    (
        LINE + '[overlay]\nlinks = [{ a = "A", b = "far", rate_bps = 1 }]\n',
        r"x\.toml:5: a link of \[overlay\] names far",
    ),
    (LINE + f"[overlay]\nlinks = [{ONCE}, {ONCE}]\n", "two nodes twice"),
]


@pytest.mark.parametrize(("text", "sentence"), WRONG)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "x.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=sentence) as caught:
        load(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize("name", library.shipped())
def test_what_ships_is_right_and_has_a_sentence(name: str) -> None:
    found = library.find(name)
    assert found.about.endswith(".")
    assert found.expect != ExpectTable()  # else nobody would notice that it shows something else


def test_the_template_is_right_and_nothing_is_overwritten(tmp_path: Path) -> None:
    library.write_template(tmp_path / "new.toml")
    assert len(load(tmp_path / "new.toml").actions) == 1
    with pytest.raises(UsageError, match="cannot be written"):
        library.write_template(tmp_path / "new.toml")


def test_the_template_shows_every_key() -> None:
    text = library.TEMPLATE.read_text()
    tables = {"topology", "radio", "mesh", "nodes", "propagation", "processor", "expect", "overlay"}
    scenario = parse(LINE)
    for table in tables:
        for key in getattr(scenario, table).__struct_fields__:
            assert key in text, f"the template does not show {table}.{key}"


def test_a_name_that_is_neither_file_nor_shipped() -> None:
    with pytest.raises(UsageError, match=r"no scenario of that name ships: those are .*line"):
        library.find("nowhere")
