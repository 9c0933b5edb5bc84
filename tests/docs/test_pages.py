"""The pages are current: every option, command and warning is on them, every link leads somewhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from meshnode import config
from meshnode.cli import app, manual
from meshnode.core.notices import Warned
from meshnode.daemon import health

ROOT = Path(__file__).parents[2]
HOW_TO = ROOT / "docs" / "how-to"
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

_WARNS = re.compile(r"""(?:\bwarn|Warned|WarningNotice)\(\s*(?:at=\w+, code=)?["'](?P<code>[a-z_-]+)["']""")


@pytest.mark.parametrize(
    ("page", "current"),
    [
        ("configuration.md", config.documentation),
        ("commands.md", manual.documentation),
        ("warnings.md", health.manual),
    ],
    ids=["configuration", "commands", "warnings"],
)
def test_a_page_that_is_made_is_current(page: str, current) -> None:
    assert (HOW_TO / page).read_text() == current(), f"make docs/how-to/{page} again; its head says how"


def test_every_command_is_documented_with_an_example() -> None:
    text = (HOW_TO / "commands.md").read_text()
    names = [*app.SINGLE, *app.RENAMED, *(f"{group} {name}" for group, (_, ns) in app.GROUPS.items() for name in ns)]
    for name in names:
        section = text.split(f"## meshnode {name}\n")[1].split("\n## ")[0]
        assert re.search(rf"^(echo .* \| )?meshnode {name}\b", section, re.MULTILINE), name


def test_every_option_is_documented() -> None:
    text = (HOW_TO / "configuration.md").read_text()
    for section, _, options in config.sections():
        assert f"## [{section}]" in text
        for option in options:
            assert f"| `{option.name}` |" in text


def test_every_warning_is_documented() -> None:
    text = (HOW_TO / "warnings.md").read_text()
    raised = {
        found["code"] for file in (ROOT / "meshnode").rglob("*.py") for found in _WARNS.finditer(file.read_text())
    }
    assert raised, "the pattern finds none: has the way to warn changed?"
    assert Warned("store_full", "").code in raised
    for code in raised:
        assert f"| `{code}` |" in text, code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_piece_of_news_is_of_a_kind_that_is_told() -> None:
    """towncrier leaves out what it knows no heading for, and says nothing."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]["type"]
    kinds = {one["directory"] for one in told}
    news = [path.name for path in (ROOT / "changes").glob("*.md") if path.name != "README.md"]
    assert [name for name in news if name.split(".")[-2] not in kinds] == []
