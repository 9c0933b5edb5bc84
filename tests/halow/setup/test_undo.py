"""A setup is taken back byte for byte, and what a person changed since is not lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.errors import UsageError
from meshnode.halow.setup import undo
from meshnode.halow.setup.files import Wanted

CONF, BOOT = Path("etc/meshnode/halow.conf"), Path("boot/config.txt")
LINES = "[all]\ndtoverlay=mm610x-spi\n"
FILES = (Wanted(CONF, "key=secret\n", "secret"), Wanted(BOOT, LINES, appended=True))


def tree(root: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mode) for path in files}


def old_board(root: Path, boot: bytes = b"arm_64bit=1\r\n") -> Path:
    for place, data in ((CONF, b"\xff theirs"), (BOOT, boot)):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_bytes(data)
    return root


@pytest.mark.parametrize("boot", [b"arm_64bit=1\r\n", b"no end of line", b"", b"[cm4]\ndtoverlay=mm610x-spi\n"])
def test_everything_is_as_before(boot: bytes, tmp_path: Path) -> None:
    root = old_board(tmp_path, boot)
    (root / CONF).chmod(0o640)
    before = tree(root)
    assert undo.write(root, "setup", FILES) == [root / CONF, root / BOOT]
    assert (root / CONF).read_bytes() == b"key=secret\n"
    assert (root / CONF).stat().st_mode & 0o777 == 0o600
    end = b"\n" if boot == b"no end of line" else b""
    assert (root / BOOT).read_bytes() == boot + end + LINES.encode()
    assert undo.undo(root, "setup") == [root / CONF, root / BOOT]
    assert tree(root) == before
    assert undo.undo(root, "setup") == []


def test_an_empty_tree_is_empty_again(tmp_path: Path) -> None:
    assert undo.write(tmp_path, "setup", FILES) == []
    assert (tmp_path / undo.JOURNALS / "setup.json").stat().st_mode & 0o777 == 0o600
    undo.undo(tmp_path, "setup")
    assert not list(tmp_path.iterdir())


def test_a_second_setup_replaces_the_first_and_keeps_what_was_before_both(tmp_path: Path) -> None:
    root = old_board(tmp_path)
    before = tree(root)
    undo.write(root, "setup", (*FILES, Wanted(Path("etc/once"), "only the first\n")))
    undo.write(root, "setup", FILES)
    assert not (root / "etc/once").exists()
    assert (root / BOOT).read_bytes().count(b"dtoverlay") == 1
    undo.undo(root, "setup")
    assert tree(root) == before


def test_lines_that_stand_there_are_not_added(tmp_path: Path) -> None:
    root = old_board(tmp_path, b"x=1\ndtoverlay=mm610x-spi\n")
    assert undo.write(root, "setup", FILES) == [root / CONF]


def test_what_a_person_wrote_around_our_lines_stays(tmp_path: Path) -> None:
    root = old_board(tmp_path)
    undo.write(root, "setup", FILES)
    (root / BOOT).write_bytes(b"first\n" + (root / BOOT).read_bytes() + b"last\n")
    undo.undo(root, "setup")
    assert (root / BOOT).read_bytes() == b"first\narm_64bit=1\r\nlast\n"


@pytest.mark.parametrize("again", [True, False])
def test_a_file_that_a_person_changed_is_left_with_a_word(again: bool, tmp_path: Path) -> None:
    root = old_board(tmp_path)
    undo.write(root, "setup", FILES)
    (root / CONF).write_text("key=other\n")
    now = tree(root)
    with pytest.raises(UsageError, match=r"halow.conf was changed since it was written; move it away"):
        undo.write(root, "setup", FILES) if again else undo.undo(root, "setup")
    assert tree(root) == now
    (root / CONF).unlink()
    undo.undo(root, "setup")
    assert (root / CONF).read_bytes() == b"\xff theirs"


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_setup_that_was_cut_short_is_taken_back(cut: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = old_board(tmp_path)
    before = tree(root)
    put, calls = undo._put, []

    def dies(*words: object) -> None:
        calls.append(words)
        if len(calls) > cut:
            raise OSError(28, "No space left on device", "config")
        put(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(undo, "_put", dies)
    with pytest.raises(UsageError, match="No space left"):
        undo.write(root, "setup", FILES)
    monkeypatch.undo()
    undo.undo(root, "setup")
    assert tree(root) == before


def test_links_and_damage_are_refused(tmp_path: Path) -> None:
    (tmp_path / "etc/meshnode").mkdir(parents=True)
    (tmp_path / CONF).symlink_to("/etc/passwd")
    with pytest.raises(UsageError, match="no plain file"):
        undo.write(tmp_path, "setup", FILES)
    (tmp_path / CONF).unlink()
    undo.write(tmp_path, "setup", FILES)
    (tmp_path / undo.JOURNALS / "setup.json").write_text("{")
    with pytest.raises(UsageError, match="is damaged"):
        undo.undo(tmp_path, "setup")


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_boot_file_comes_back(before: bytes, wanted: bytes) -> None:
    text = wanted.decode("latin-1")
    added = undo._added(before, text.encode())
    one = undo.Kept("x", before, before + added, added)
    assert undo._restored(Path("/"), one, before + added) == before
