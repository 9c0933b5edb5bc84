"""Every file of hardware/ loads, is named after what it holds, and refers only to what exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshnode import resources
from meshnode.board import channels, dialect, phy, profile, region
from meshnode.board.strict import Table, load

KINDS: dict[str, type[Table]] = {
    "boards": profile.Board,
    "drivers": profile.Driver,
    "regions": region.Region,
    "modems": dialect.Dialect,
}
FILES = sorted(resources.hardware().rglob("*.toml"))


def kind_of(path: Path) -> type[Table]:
    if path.parent.name == "channel-maps":
        return channels.KINDS[path.stem]
    if path.parent.name == "phy":
        return {"rates": phy.Rates, "timing": phy.Timings}[path.stem]
    return KINDS[path.parent.name]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_it_loads_and_is_named_after_what_it_holds(path: Path) -> None:
    value = load(path, kind_of(path))
    named = getattr(value, "name", None) or getattr(value, "code", None) or getattr(value, "driver", None)
    assert named in (path.stem, None)
    assert path.read_text().isascii(), "plain ASCII reads the same everywhere"


def test_boards_name_drivers_and_modems_that_exist() -> None:
    families = {one.name: one for one in profile.drivers()}
    for board in profile.boards():
        assert board.driver is None or board.driver in families, board.name
        assert board.modem is None or dialect.dialect(board.modem)
        if board.driver and board.bus:
            assert board.bus in families[board.driver].buses, board.name
        if board.driver and board.chip:
            assert board.chip in families[board.driver].chips, board.name


def test_what_recognises_a_board_is_what_its_driver_family_has() -> None:
    families = {one.name: one for one in profile.drivers()}
    for board in profile.boards():
        for rule in board.detect:
            assert board.driver is not None
            family = families[board.driver]
            assert all(family.drives(name.replace("*", "spi")) for name in rule.driver), board.name
            assert set(rule.compatible) <= set(family.compatible), board.name
            assert set(rule.usb) <= set(family.usb) or board.driver == "mm81x", board.name
            assert set(rule.sdio) <= set(family.sdio), board.name


def test_a_board_that_is_not_understood_says_so() -> None:
    for board in profile.boards():
        assert (board.chip and board.bus) or board.unknown or board.name == "generic", board.name


def test_channel_maps_name_regions_that_exist_and_agree_with_their_centres() -> None:
    known = {one.code: one for one in region.regions()}
    morse = channels.fictitious("morse")
    assert morse is not None
    for table in morse.tables:
        for code in table.regions:
            plan = known[code].plan(table.scheme)
            theirs = {(channel.centre_khz, channel.bw_mhz): channel.s1g for channel, _ in plan.channels()}
            if not code.startswith("EU") and code != "GB":  # one table for all of Europe: a country has a part of it
                assert {(row.centre_khz, row.bw_mhz) for row in table.channels} == set(theirs), code
            for row in table.channels:
                assert theirs.get((row.centre_khz, row.bw_mhz), row.s1g) == row.s1g


@pytest.mark.parametrize("name", ["morse", "newracom"])
def test_a_host_channel_means_one_thing_in_a_table(name: str) -> None:
    found = channels.fictitious(name)
    assert found is not None
    for table in found.tables:
        assert len({row.host_mhz for row in table.channels}) == len(table.channels), table.regions
        for row in table.channels:
            base = 2407 if row.host_mhz < 3000 else 5000
            assert row.host_mhz == base + 5 * row.host_channel


def test_udev_rules_catch_the_drivers_of_the_families() -> None:
    text = (resources.hardware() / "udev" / "70-meshnode-halow.rules").read_text()
    for family in profile.drivers():
        assert (f'ID_MESHNODE_DRIVER}}="{family.name}"' in text) == family.certain
        for pattern in family.drivers:
            wider = f"{pattern.partition('_')[0]}_*"
            assert not family.certain or pattern in text or wider in text
