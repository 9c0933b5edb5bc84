"""What `pip install` brings: the daemon, the simulator, the boards, and two programs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    target = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, text=True)
    with zipfile.ZipFile(next(target.glob("*.whl"))) as opened:
        yield opened


def test_it_holds_code_simulator_and_hardware(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {"meshnode/cli/app.py", "meshnode_sim/__init__.py", "meshnode/_hardware/boards/generic.toml"} <= names
    for folder in ("boards", "channel-maps", "drivers", "modems", "phy", "regions", "systemd", "udev"):
        here = {f"meshnode/_hardware/{folder}/{file.name}" for file in (ROOT / "hardware" / folder).iterdir()}
        assert here <= names


def test_it_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"meshnode", "meshnode_sim"}


def test_it_installs_two_programs_and_its_licence(wheel: zipfile.ZipFile) -> None:
    points = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    text = wheel.read(points).decode()
    assert "meshnode = meshnode.cli.app:main" in text
    assert "meshnode-sim = meshnode_sim.cli:main" in text
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_an_installed_copy_finds_its_boards(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    code = (
        "from meshnode import resources; print(*[f.name for f in resources.files('boards')]); print(resources.__file__)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True,
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
    )  # fmt: skip
    boards, place = found.stdout.splitlines()
    assert "generic.toml" in boards
    assert Path(place).is_relative_to(tmp_path)
