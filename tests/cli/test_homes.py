"""Commands on a home whose node does not run."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from meshnode import config
from meshnode.cli import offline
from meshnode.core.effects import Persist
from meshnode.core.identity.invite import ContactInvite, read_invite_untrusted
from meshnode.core.ids import DeviceKey, MessageId, PersonaKey
from meshnode.core.records import MessageRecord
from meshnode.daemon.home import Home, open_home
from meshnode.errors import ConfigError
from support.commands import Commands


@pytest.fixture
def other(tmp_path: Path, meshnode: Commands) -> str:
    """The invite of somebody else."""
    made = meshnode.bare("init", "--name", "Bo", "--json", "--home", str(tmp_path / "bo"))
    return str(made.json["invite"])


def test_init_makes_a_home_once(meshnode: Commands) -> None:
    made = meshnode("init", "--name", "Ada", "--json")
    assert made.code == 0
    assert made.json["home"] == str(meshnode.home)
    assert len(bytes.fromhex(made.json["persona"])) == 32
    assert made.json["open_mesh"]
    invite = read_invite_untrusted(made.json["invite"])
    assert invite == ContactInvite(bytes.fromhex(made.json["persona"]), "Ada")
    assert stat.S_IMODE(meshnode.home.stat().st_mode) == 0o700
    again = meshnode("init", "--name", "Ada")
    assert again.code == 1
    assert "already" in again.err


def test_what_a_home_was_before_a_restore_is_forgotten_when_somebody_says_so(meshnode: Commands) -> None:
    assert meshnode("init", "--name", "Ada").code == 0
    for number in (1, 2):
        before = meshnode.home / f"before-restore-{number}" / "profiles"
        before.mkdir(parents=True)
        (before / "store.db").write_bytes(bytes(1500))
    assert "alone" in meshnode("restore", "ada.backup", "--forget").err
    assert "name the backup" in meshnode("restore").err
    assert "3.0 kB" in meshnode("restore", "--forget").out
    assert not list(meshnode.home.glob("before-*"))
    assert meshnode("restore", "--forget").out == "nothing was set aside here\n"


def test_init_of_a_closed_mesh_makes_a_secret_or_takes_one(meshnode: Commands, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("ab" * 32 + "\n")
    assert meshnode("init", "--mesh", "valley", "--mesh-secret-file", str(secret)).code == 0
    with open_home(meshnode.home) as home:
        assert home.mesh.name == "valley"
        assert home.mesh.current.secret == b"\xab" * 32
    fresh = Commands(tmp_path / "fresh", meshnode._capture)
    made = fresh("init", "--mesh", "valley")
    assert made.code == 0
    assert "--web" in made.out.splitlines()[-1]
    with open_home(fresh.home) as home:
        assert not home.mesh.open
        assert home.mesh.current.secret != b"\xab" * 32


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--mesh-secret-file", "x"), "--mesh NAME"),
        (("--mesh", "valley", "--mesh-secret-file", "/nowhere"), "cannot be read"),
        (("--mesh", "valley", "--open", "--mesh-secret-file", "x"), "--open"),
        (("--name", "a\nb"), "one line"),
        (("--passphrase-file", "/nowhere"), "cannot be read"),
    ],
)
def test_init_refuses_in_one_sentence_and_leaves_nothing(
    meshnode: Commands, words: tuple[str, ...], sentence: str
) -> None:
    ran = meshnode("init", *words)
    assert ran.code == 1
    assert sentence in ran.err
    assert ran.err.count("\n") == 1
    assert not (meshnode.home / "keys").exists()


def test_a_home_sealed_with_a_passphrase_opens_with_it_alone(
    meshnode: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse\n")
    assert meshnode("init", "--passphrase-file", str(passphrase)).code == 0
    refused = meshnode("invite")
    assert refused.code == 1
    assert "passphrase" in refused.err
    monkeypatch.setenv("MESHNODE_PASSPHRASE_FILE", str(passphrase))
    assert meshnode("invite").code == 0


def test_commands_that_need_a_home_say_so(meshnode: Commands) -> None:
    for words in (("invite",), ("contact", "list"), ("channel", "list"), ("inbox",), ("export", "x"), ("import", "x")):
        ran = meshnode(*words)
        assert ran.code == 1, words
        assert "meshnode init" in ran.err


def test_invite_as_address_qr_and_words(meshnode: Commands) -> None:
    uri = meshnode("init", "--name", "Ada", "--json").json["invite"]
    assert meshnode("invite", "--json").json["uri"] == uri
    shown = meshnode("invite", "--qr", "--words").out.splitlines()
    assert shown[0] == uri
    assert "█" in shown[1]
    assert read_invite_untrusted(shown[-1]) == read_invite_untrusted(uri)
    assert meshnode("invite", "--words", "--json").json["words"] == shown[-1]


def test_the_address_book(meshnode: Commands, other: str) -> None:
    meshnode("init", "--name", "Ada")
    added = meshnode("contact", "add", other, "--json").json["contacts"]
    assert [(c["name"], c["verified"], c["blocked"]) for c in added] == [("Bo", False, False)]
    assert meshnode("contact", "rename", "bo", "Bo from the mill").code == 0
    shown = meshnode("contact", "verify", "Bo from the mill", "--json").json["contacts"][0]
    assert len(shown["words"].split()) == 8
    assert not shown["verified"]
    assert meshnode("contact", "verify", "Bo from the mill", "--confirm", "--json").json["contacts"][0]["verified"]
    assert meshnode("contact", "block", "Bo from the mill", "--json").json["contacts"][0]["blocked"]
    assert not meshnode("contact", "unblock", "Bo from the mill", "--json").json["contacts"][0]["blocked"]
    listed = meshnode("contact", "list", "--json").json["contacts"]
    assert [(c["name"], c["verified"], c["ring"]) for c in listed] == [("Bo from the mill", True, 1)]
    assert meshnode("contact", "remove", "Bo from the mill").code == 0
    assert meshnode("contact", "list", "--json").json["contacts"] == []


def test_the_address_book_refuses_in_one_sentence(meshnode: Commands, other: str) -> None:
    mine = meshnode("init", "--name", "Ada", "--json").json["invite"]
    meshnode("contact", "add", other)
    for words, sentence in [
        (("contact", "add", mine), "your own"),
        (("contact", "add", other[:-1]), "invite"),
        (("contact", "add", "hello"), "invite"),
        (("contact", "rename", "Bob", "x"), "did you mean 'Bo'"),
        (("contact", "remove", "nobody"), "contact list"),
    ]:
        ran = meshnode(*words)
        assert ran.code == 1, words
        assert sentence in ran.err or "not one of ours" in ran.err, ran.err


def test_two_contacts_never_share_a_name(meshnode: Commands, other: str, tmp_path: Path) -> None:
    third = meshnode.bare("init", "--name", "BO", "--json", "--home", str(tmp_path / "third")).json["invite"]
    meshnode("init", "--name", "Ada")
    meshnode("contact", "add", other)
    assert "--name" in meshnode("contact", "add", third).err
    assert meshnode("contact", "add", third, "--name", "Bo the other").code == 0


def test_every_node_starts_in_the_square(meshnode: Commands) -> None:
    meshnode("init", "--name", "Ada")
    listed = meshnode("channel", "list", "--json").json["channels"]
    assert [(c["name"], c["kind"], c["unread"]) for c in listed] == [("square", "public", 0)]
    assert meshnode("inbox", "--json").json["messages"] == []


def test_doctor_names_one_cause_and_one_remedy_each(meshnode: Commands) -> None:
    nowhere = meshnode("doctor", "--json")
    assert nowhere.code == 1
    assert [(c["name"], c["state"]) for c in nowhere.json["checks"]] == [("home", "fail")]
    meshnode("init", "--name", "Ada")
    checks = {c["name"]: c for c in meshnode("doctor", "--json").json["checks"]}
    everywhere = {"home", "config", "keys", "store", "interface", "driver", "overlay", "clock", "disk", "node"}
    assert set(checks) - {"kernel"} == everywhere, "the kernel's messages may be shut to whoever runs this"
    assert all(bool(c["remedy"]) == (c["state"] != "ok") for c in checks.values())


def test_doctor_writes_a_file_for_those_who_help(meshnode: Commands, tmp_path: Path) -> None:
    persona = meshnode("init", "--name", "Adelheid", "--json").json["persona"]
    assert meshnode("doctor", "--bundle", str(tmp_path / "doctor.tar.gz")).code == 0
    with tarfile.open(tmp_path / "doctor.tar.gz") as tar:
        texts = [tar.extractfile(one).read().decode() for one in tar.getmembers()]
    assert len(texts) == 4
    assert not [text for text in texts if "Adelheid" in text or persona in text]


def test_a_home_that_is_there_may_be_left_as_it_is(meshnode: Commands) -> None:
    invite = meshnode("init", "--name", "Ada", "--unless-there", "--json").json["invite"]
    assert meshnode("init", "--name", "Bo", "--unless-there", "--json").json["made"] is False
    assert meshnode("invite", "--json").json["uri"] == invite


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        (lambda home: home.chmod(0o755), "home"),
        (lambda home: (home / "config.toml").write_text("x ="), "config"),
        (lambda home: (home / "home.key").write_bytes(b"k" * 32), "keys"),
        (lambda home: (home / "store.db").write_bytes(b"not a store" * 1000), "store"),
        (lambda home: (home / "config.toml").write_text("[link]\ninterface = 'none9'"), "interface"),
    ],
    ids=["mode", "config", "keys", "store", "interface"],
)
def test_doctor_fails_on_what_is_broken(meshnode: Commands, damage, check: str) -> None:
    meshnode("init", "--name", "Ada")
    damage(meshnode.home)
    ran = meshnode("doctor", "--json")
    assert ran.code == 1
    failed = [c for c in ran.json["checks"] if c["state"] == "fail"]
    assert [c["name"] for c in failed] == [check]
    assert failed[0]["remedy"]


def test_a_parcel_goes_from_home_to_home(meshnode: Commands, other: str, tmp_path: Path) -> None:
    meshnode("init", "--name", "Ada")
    parcel = tmp_path / "stick.parcel"
    written = meshnode("export", str(parcel), "--json")
    assert written.code == 0
    assert written.json["blocks"] > 0
    bo = Commands(tmp_path / "bo", meshnode._capture)
    taken = bo("import", str(parcel), "--json").json
    assert taken["blocks"] == written.json["blocks"]
    assert taken["refused"] == 0
    assert bo("import", str(parcel), "--json").json["blocks"] == 0


def test_a_parcel_cut_short_or_strange(meshnode: Commands, tmp_path: Path) -> None:
    meshnode("init", "--name", "Ada")
    parcel = tmp_path / "stick.parcel"
    meshnode("export", str(parcel))
    whole = parcel.read_bytes()
    parcel.write_bytes(whole[:-3])
    assert "cut short" in meshnode("import", str(parcel), "--json").json["text"]
    for strange in (b"", b"\xff" * 100, whole[:17] + b"\0" * 100):
        parcel.write_bytes(strange)
        ran = meshnode("import", str(parcel), "--json")
        assert ran.code == 1 or "cut short" in ran.json["text"]
        assert ran.err.count("\n") <= 1


def test_run_without_an_interface_says_what_to_do(meshnode: Commands) -> None:
    meshnode("init", "--name", "Ada")
    ran = meshnode("run", "--overlay", "none")
    assert ran.code == 1
    assert "--interface" in ran.err


def test_reading_a_home_at_rest_writes_nothing(meshnode: Commands) -> None:
    meshnode("init", "--name", "Ada")
    kept = [meshnode.home / name for name in ("keys", "home.key", "config.toml", "store.db")]
    before = [path.read_bytes() for path in kept]
    for words in (("invite",), ("contact", "list"), ("channel", "list"), ("inbox",)):
        assert meshnode(*words).code == 0
    assert [path.read_bytes() for path in kept] == before


def test_commands_at_one_home_wait_for_each_other(meshnode: Commands) -> None:
    meshnode("init", "--name", "Ada")
    words = [sys.executable, "-m", "meshnode", "inbox", "--json", "--home", str(meshnode.home)]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    for one in running:
        out, err = one.communicate(timeout=60)
        assert (one.returncode, err) == (0, b"")
        assert b"messages" in out


def test_what_is_read_at_rest_for_the_first_time_is_marked_by_a_node(
    meshnode: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    meshnode("init", "--name", "Ada")
    came = MessageRecord(
        id=MessageId(b"\x07" * 16), cursor=1, outgoing=False, peer=PersonaKey(b"\x0b" * 32),
        device=DeviceKey(bytes(32)), channel=b"", seq=1, text="soup", cls=2, sent_at=0.0, received_at=0.0, hops=1,
        missing=0, request=b"",
    )  # fmt: skip
    with open_home(meshnode.home) as home:
        store = home.open_store()
        store.commit([Persist((came,))], 0.0, promise=True)
        store.close()
    asked: list[object] = []
    real = offline._ask_node

    def ask_node(*words: object) -> object:
        asked.append(words)
        return real(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(offline, "_ask_node", ask_node)
    for times in (1, 1):
        (message,) = meshnode("inbox", "--json").json["messages"]
        assert message["text"] == "soup"
        assert len(asked) == times
    assert message["state"] == "read"
    assert meshnode("inbox", "--contact", "Bo").err.startswith("meshnode: no contact is called 'Bo'")
    assert [meshnode("inbox", "--since", since, "--json").json["cursor"][:2] for since in ("0", "1", "9")] == [
        "1@", "1@", "9@"
    ]  # fmt: skip


def test_nobody_takes_a_command_for_the_node_of_the_home(
    meshnode: Commands, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    meshnode("init", "--name", "Ada")
    seen: list[bool] = []
    asked = offline._ask

    async def asking(home: Home, *rest: object) -> object:
        answer = await asked(home, *rest)
        seen.append((meshnode.home / "control.sock").exists())
        return answer

    monkeypatch.setattr(offline, "_ask", asking)
    assert meshnode("contact", "add", other).code == 0
    assert seen == [False]


def test_a_parcel_is_a_file(meshnode: Commands, tmp_path: Path) -> None:
    meshnode("init", "--name", "Ada")
    os.mkfifo(tmp_path / "pipe")
    for words, why in [
        (("import", str(tmp_path / "pipe")), "is not a file"),
        (("import", "/dev/zero"), "is not a file"),
        (("import", str(tmp_path)), "is not a file"),
        (("import", str(tmp_path / "none")), "cannot be read (No such file or directory)"),
        (("export", str(tmp_path)), "is a directory"),
        (("export", "/"), "is a directory"),
    ]:
        ran = meshnode(*words)
        assert (ran.code, ran.out) == (1, "")
        assert why in ran.err


def test_who_may_not_read_the_configuration_asks_at_the_usual_place(
    meshnode: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a member of the group that the control socket is for: the home itself is the owner's."""
    meshnode("init", "--name", "Ada")

    def denied(path: Path) -> None:
        raise ConfigError(f"{path} cannot be read (Permission denied); check its owner and mode")

    monkeypatch.setattr(config, "load", denied)
    assert meshnode("status").code == 1, "it can be read, and is wrong"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert meshnode("status").code == 3
