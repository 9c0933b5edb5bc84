"""A home directory that is not there yet, and the commands about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.commands import Commands


@pytest.fixture
def meshnode(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Commands:
    for variable in ("MESHNODE_HOME", "STATE_DIRECTORY", "XDG_STATE_HOME", "MESHNODE_PASSPHRASE_FILE"):
        monkeypatch.delenv(variable, raising=False)
    return Commands(tmp_path / "home", capsys)
