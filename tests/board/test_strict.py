"""A wrong file is refused with its name, the line and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode import resources
from meshnode.board.profile import Board
from meshnode.board.region import Region
from meshnode.board.strict import decode, line_of, load
from meshnode.errors import ConfigError

US = (resources.hardware() / "regions" / "US.toml").read_text()
BOARD = (resources.hardware() / "boards" / "openmanet-mm6108-spi.toml").read_text()


def line_with(text: str, part: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if part in line)


def refusal(text: str, kind=Region) -> str:
    with pytest.raises(ConfigError) as caught:
        decode(text, kind, "file.toml")
    return str(caught.value)


def test_an_unknown_field_of_one_channel_is_told_with_its_line() -> None:
    broken = US.replace("{ s1g = 13, ", "{ s1g = 13, antenna = 3, ")
    line = line_with(broken, "antenna")
    assert refusal(broken) == f"file.toml:{line}: object contains unknown field `antenna`"


def test_an_unknown_field_in_a_table_and_at_the_top() -> None:
    broken = BOARD.replace("[spi]\n", "[spi]\nmode = 3\n")
    assert refusal(broken, Board) == f"file.toml:{line_with(broken, 'mode = 3')}: object contains unknown field `mode`"
    broken = BOARD.replace("confidence = ", 'colour = "red"\nconfidence = ', 1)
    assert f"file.toml:{line_with(broken, 'colour')}: " in refusal(broken, Board)


def test_a_wrong_type_and_an_impossible_value() -> None:
    broken = US.replace("centre_khz = 908500", 'centre_khz = "908.5"')
    assert f"file.toml:{line_with(broken, '908.5')}: expected `int`, got `str`" == refusal(broken)
    broken = US.replace("eirp_dbm = 30.0", "eirp_dbm = 300.0")
    assert f"file.toml:{line_with(broken, '300.0')}: expected `float` <= 40.0" == refusal(broken)


def test_a_second_band_is_found_by_its_own_header() -> None:
    text = (resources.hardware() / "regions" / "KR.toml").read_text()
    broken = text.replace('name = "922-923"', 'name = "922-923"\nspeed = 3')
    assert f":{line_with(broken, 'speed = 3')}: " in refusal(broken)


def test_a_source_that_is_not_declared() -> None:
    broken = US.replace('source = ["M1"], confidence', 'source = ["M9"], confidence', 1)
    assert refusal(broken) == f"file.toml:{line_with(broken, 'M9')}: source `M9` is not in [sources]"


def test_an_entry_without_a_source() -> None:
    assert "needs a source" in refusal(US.replace('source = ["M1"], confidence', "source = [], confidence", 1))


def test_broken_toml_has_its_line() -> None:
    assert refusal('code = "US"\ntitle = = "x"\n') == "file.toml: Invalid value (at line 2, column 9)"


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.toml", Region)
    (tmp_path / "bin.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        load(tmp_path / "bin.toml", Region)


@given(st.text(max_size=200), st.text(alphabet="$.[]0123abc…", max_size=30))
def test_any_path_has_some_line(text: str, path: str) -> None:
    assert 1 <= line_of(text, path) <= max(1, len(text.splitlines()))


@given(st.integers(0, len(US)), st.text(max_size=5))
def test_noise_in_a_file_is_a_config_error_or_a_region(at: int, noise: str) -> None:
    try:
        said = decode(US[:at] + noise + US[at:], Region, "US.toml").sources and "US.toml"
    except ConfigError as error:
        said = str(error)
    assert said.startswith("US.toml")
