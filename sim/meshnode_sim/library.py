"""The scenarios that ship, and the template for new ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from meshnode.errors import UsageError
from meshnode_sim.scenario import Scenario, load

FOLDER = Path(__file__).with_name("scenarios")
LARGE = ("city", "festival", "region")  # take their time: run by hand
TEMPLATE = FOLDER / "template.toml"


def shipped() -> list[str]:
    """Their names."""
    return sorted(path.stem for path in FOLDER.glob("*.toml") if path != TEMPLATE)


def path_of(name: str) -> Path:
    """The file of a scenario: `name` itself, or that of one that ships; a folder called so is neither."""
    path = Path(name)
    if not path.is_file() and name in shipped():
        path = FOLDER / f"{name}.toml"
    if not path.exists():
        raise UsageError(
            f"there is no file {name}, and no scenario of that name ships: those are {', '.join(shipped())}"
        )
    return path


def find(name: str, changes: Sequence[str] = ()) -> Scenario:
    """A scenario by file, or by the name of one that ships; `changes` as in `scenario.load`."""
    return load(path_of(name), changes)


def write_template(path: Path) -> None:
    """A commented scenario to start from; refuses to overwrite."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): give another name") from error
