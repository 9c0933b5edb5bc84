"""A home is private, opens only with its key, and belongs to one process at a time."""

from __future__ import annotations

import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from meshnode import config
from meshnode.core.identity.invite import MeshInvite, mesh_uri, read_invite_untrusted
from meshnode.core.sealing.mesh import closed_mesh, open_mesh
from meshnode.daemon.files import write_private
from meshnode.daemon.home import create_home, open_home
from meshnode.errors import ConfigError, HomeError


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.delenv("MESHNODE_PASSPHRASE_FILE", raising=False)


def test_what_init_makes_opens_again(tmp_path: Path) -> None:
    with create_home(tmp_path / "h", "Ada", closed_mesh("valley", b"s" * 32)) as made:
        keys = made.keys
    with open_home(tmp_path / "h") as home:
        assert (home.name, home.keys) == ("Ada", keys)
        assert home.mesh == closed_mesh("valley", b"s" * 32)
        store = home.open_store()
        assert [channel.name for channel, _ in store.reads.channels()] == ["square"]
        store.close()


def test_a_home_is_private(tmp_path: Path) -> None:
    create_home(tmp_path / "h", "Ada", open_mesh("public")).close()
    assert stat.S_IMODE((tmp_path / "h").stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "h").iterdir()}
    assert set(modes) >= {"keys", "home.key", "store.db", "config.toml", "lock"}
    assert set(modes.values()) == {0o600}


def test_no_secret_stands_in_clear(tmp_path: Path) -> None:
    with create_home(tmp_path / "h", "Ada", closed_mesh("valley", b"s" * 32)) as home:
        secrets = [home.keys.persona_secret, home.keys.device_secret, home.keyring.store_key, b"s" * 32]
    raw = b"".join(path.read_bytes() for path in (tmp_path / "h").iterdir())
    assert not any(secret in raw for secret in secrets)


def test_init_does_not_overwrite(tmp_path: Path) -> None:
    create_home(tmp_path / "h", "Ada", open_mesh("public")).close()
    with pytest.raises(HomeError, match="a home already"):
        create_home(tmp_path / "h", "Bo", open_mesh("public"))
    with open_home(tmp_path / "h") as home:
        assert home.name == "Ada"


def test_init_where_a_node_runs_names_the_home_and_not_the_lock(tmp_path: Path) -> None:
    with create_home(tmp_path / "h", "Ada", open_mesh("public")), pytest.raises(HomeError, match="a home already"):
        create_home(tmp_path / "h", "Bo", open_mesh("public"))


def test_an_init_that_was_cut_off_is_begun_again(tmp_path: Path) -> None:
    create_home(tmp_path / "h", "Ada", open_mesh("public")).close()
    (tmp_path / "h" / "keys").unlink()
    create_home(tmp_path / "h", "Bo", open_mesh("public")).close()
    with open_home(tmp_path / "h") as home:
        home.open_store().close()
        assert home.name == "Bo"


def test_no_home_no_node(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="meshnode init"):
        open_home(tmp_path / "nowhere")


def test_a_second_meshnode_is_refused_and_told_who_is_there(tmp_path: Path) -> None:
    with create_home(tmp_path / "h", "Ada", open_mesh("public")):
        program = (
            "import sys; from pathlib import Path; from meshnode.daemon.home import open_home\n"
            "try: open_home(Path(sys.argv[1]))\n"
            "except Exception as error: print(error)"
        )
        said = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "h")], capture_output=True, text=True, check=True
        )
    assert "Another meshnode (process" in said.stdout
    open_home(tmp_path / "h").close()


def test_looking_needs_no_lock(tmp_path: Path) -> None:
    with create_home(tmp_path / "h", "Ada", open_mesh("public")), open_home(tmp_path / "h", lock=False) as looked:
        assert looked.name == "Ada"
        with pytest.raises(HomeError, match="looking only"):
            looked.open_store()


def test_a_passphrase_home_opens_with_its_passphrase_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("soup is ready\n")
    wrong.write_text("soup is cold\n")
    create_home(tmp_path / "h", "Ada", open_mesh("public"), passphrase_file=right).close()
    assert not (tmp_path / "h" / "home.key").exists()
    with pytest.raises(HomeError, match="MESHNODE_PASSPHRASE_FILE"):
        open_home(tmp_path / "h")
    with pytest.raises(HomeError, match="passphrase does not fit"):
        open_home(tmp_path / "h", passphrase_file=wrong)
    monkeypatch.setenv("MESHNODE_PASSPHRASE_FILE", str(right))
    open_home(tmp_path / "h").close()


@pytest.mark.parametrize(("text", "said"), [(b"\xff\xfe", "not UTF-8"), (b"\n", "is empty"), (None, "cannot be read")])
def test_a_passphrase_file_that_holds_none_is_named(tmp_path: Path, text: bytes | None, said: str) -> None:
    file = tmp_path / "passphrase"
    if text is not None:
        file.write_bytes(text)
    with pytest.raises(HomeError, match=said):
        create_home(tmp_path / "h", "Ada", open_mesh("public"), passphrase_file=file)


def test_a_place_that_cannot_be_a_home_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("soup")
    with pytest.raises(HomeError, match="cannot be made"):
        create_home(tmp_path / "file", "Ada", open_mesh("public"))
    with pytest.raises(HomeError, match="no meshnode home"):
        open_home(tmp_path / "file")
    (tmp_path / "h" / "keys").mkdir(parents=True)
    with pytest.raises(HomeError, match="cannot be read"):
        open_home(tmp_path / "h")


def test_the_key_may_come_from_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meshnode-key").write_bytes(b"k" * 32)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    create_home(tmp_path / "h", "Ada", open_mesh("public")).close()
    assert not (tmp_path / "h" / "home.key").exists()
    open_home(tmp_path / "h").close()
    (tmp_path / "meshnode-key").write_bytes(b"short")
    with pytest.raises(HomeError, match="5 bytes instead of 32"):
        open_home(tmp_path / "h")


@pytest.mark.parametrize("spoil", [b"", b"\1", b"\x07" * 300])
def test_spoilt_keys_are_named(tmp_path: Path, spoil: bytes) -> None:
    create_home(tmp_path / "h", "Ada", open_mesh("public")).close()
    (tmp_path / "h" / "keys").write_bytes(spoil)
    with pytest.raises(HomeError, match="do not open"):
        open_home(tmp_path / "h")
    (tmp_path / "h" / "home.key").unlink()


def test_joining_a_mesh_holds_at_once_and_over_restarts(tmp_path: Path) -> None:
    with create_home(tmp_path / "h", "Ada", open_mesh("public")) as home:
        home.join(MeshInvite("valley", b"1" * 32, 0))
        home.join(MeshInvite("valley", b"2" * 32, 1))
        home.join(MeshInvite("fair", None))
        home.join(MeshInvite("valley", b"2" * 32, 1))
        assert home.mesh.name == "valley"
    with open_home(tmp_path / "h") as home:
        assert [one.secret[:1] for one in home.mesh.secrets] == [b"2", b"1"]
        assert not home.mesh.open
        assert home.keyring.mesh("fair").open
        assert home.mesh.id == closed_mesh("valley", b"1" * 32).id
        invite = read_invite_untrusted(mesh_uri("valley", b"2" * 32, 1, home.mesh.carried_roots))
        known = home.mesh.id
    with create_home(tmp_path / "other", "Bo", open_mesh("public")) as home:
        assert isinstance(invite, MeshInvite)
        home.join(invite)
    with open_home(tmp_path / "other") as home:
        assert home.mesh.id == known
        home.join(MeshInvite("valley", b"1" * 32, 0))
    with open_home(tmp_path / "other") as home:
        assert (home.mesh.current.number, home.mesh.id) == (0, known)


def test_joining_changes_the_mesh_in_the_configuration_and_nothing_else(tmp_path: Path) -> None:
    with create_home(tmp_path / "h", "Ada", open_mesh("public")) as home:
        (home.path / "config.toml").write_text("# mine\n[log]\nlevel = 'error'  # quiet\n")
    with open_home(tmp_path / "h") as home:
        home.config = config.Config(overlay=config.OverlaySection(backend="none"))  # as the command line may say
        home.join(MeshInvite("valley", b"1" * 32, 0))
    text = (tmp_path / "h" / "config.toml").read_text()
    assert text == "# mine\n[log]\nlevel = 'error'  # quiet\n\n[mesh]\nname = \"valley\"\n"


def test_a_configuration_of_another_place_is_the_one_that_is_changed(tmp_path: Path) -> None:
    create_home(tmp_path / "h", "Ada", open_mesh("public")).close()
    before = (tmp_path / "h" / "config.toml").read_text()
    elsewhere = tmp_path / "other.toml"
    with pytest.raises(ConfigError, match=r"no configuration at"):
        open_home(tmp_path / "h", config_file=elsewhere)
    elsewhere.write_text("[mesh]\nname = 'fair'\n")
    with open_home(tmp_path / "h", config_file=elsewhere) as home:
        home.join(MeshInvite("valley", b"1" * 32, 0))
    assert (tmp_path / "h" / "config.toml").read_text() == before
    with open_home(tmp_path / "h", config_file=elsewhere) as home:
        assert (home.mesh.name, home.mesh.open) == ("valley", False)


def test_a_lock_that_is_no_file_is_one_sentence(tmp_path: Path) -> None:
    create_home(tmp_path / "h", "Ada", open_mesh("public")).close()
    (tmp_path / "h" / "lock").unlink()
    (tmp_path / "h" / "lock").mkdir()
    with pytest.raises(HomeError, match=r"lock cannot be opened"):
        open_home(tmp_path / "h")


def test_what_cannot_be_written_whole_leaves_the_old_file(tmp_path: Path) -> None:
    write_private(tmp_path / "keys", b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    took = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5, before[1]))  # as on a disk with room for five bytes more
    try:
        with pytest.raises(HomeError, match=r"keys cannot be written"):
            write_private(tmp_path / "keys", b"longer than that")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, took)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("keys", b"old")]
