"""The command line itself: help, words, exit codes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from meshnode.cli import app
from support.commands import Commands

EVERY = [*((name,) for name in (*app.SINGLE, *app.RENAMED)), *((g, n) for g, (_, ns) in app.GROUPS.items() for n in ns)]
ASKS_A_NODE = [
    ("status",),
    ("send", "Bo", "hi"),
    ("post", "square", "hi"),
    ("watch",),
    ("why", "00"),
    ("cancel", "00"),
    ("neighbours",),
    ("peers",),
    ("queue",),
    ("trace", "Bo"),
    ("capture", "x.pcapng"),
    ("channel", "create", "market"),
    ("channel", "join", "market"),
    ("channel", "leave", "market"),
    ("mesh", "invite"),
    ("mesh", "join", "mesh:m"),
    ("mesh", "secrets"),
    ("mesh", "renew"),
    ("mesh", "use", "1"),
    ("mesh", "drop", "0"),
    ("device", "list"),
    ("device", "revoke", "00"),
    ("device", "adopt"),
    ("peer", "add", "tls://192.0.2.1:1"),
    ("peer", "remove", "tls://192.0.2.1:1"),
    ("peer", "list"),
]


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_every_command_has_help_with_an_example(meshnode: Commands, command: tuple[str, ...]) -> None:
    ran = meshnode.bare(*command, "--help")
    assert ran.code == 0
    assert f"Example: meshnode {' '.join(command)}" in " ".join(ran.out.split()) or "| meshnode" in ran.out
    assert "--home" in ran.out
    assert "--json" in ran.out


@pytest.mark.parametrize("command", ASKS_A_NODE, ids=lambda words: " ".join(words[:2]))
def test_without_a_node_it_exits_3(meshnode: Commands, command: tuple[str, ...]) -> None:
    ran = meshnode(*command)
    assert ran.code == 3
    assert ran.out == ""
    assert ran.err.startswith("meshnode: ")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("sned",), "send"),
        (("contact", "ad"), "add"),
        (("send", "--wiat", "kept"), "--wait"),
        (("send",), "CONTACT"),
        (("send",), "try `meshnode send --help`"),
        (("contact", "add"), "try `meshnode contact add --help`"),
        (("send", "Bo", "hi", "--wait", "soon"), "delivered"),
        (("send", "Bo", "hi", "--class", "9"), "4"),
        (("send", "Bo", "hi", "--timeout", "-1"), "0"),
        (("trace", "Bo", "--timeout", "inf"), "--timeout"),
        (("inbox", "--limit", "-1"), "--limit"),
        (("mesh", "use", "4"), "3"),
        (("demo", "--nodes", "1"), "2"),
    ],
)
def test_wrong_words_exit_2_and_say_what_was_meant(meshnode: Commands, words: tuple[str, ...], hint: str) -> None:
    ran = meshnode(*words)
    assert ran.code == 2
    assert hint in ran.err
    assert ran.err.count("\n") == 1


def test_common_options_may_come_first(meshnode: Commands) -> None:
    assert meshnode.bare("--json", "--home", str(meshnode.home), "version").json["version"]
    assert app._common_last(["--home", "/x", "send", "Bo", "--", "--json"]) == [
        "send",
        "Bo",
        "--home",
        "/x",
        "--",
        "--json",
    ]


def test_starting_up_imports_little() -> None:
    late = ["trio", "apsw", "cryptography", "nacl", "structlog", "rich", "segno", "pyroute2"]
    code = f"import sys; from meshnode.cli import app; app.run(['version']); print(set({late}) & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("environment", "home"),
    [
        ({"MESHNODE_HOME": "/a", "STATE_DIRECTORY": "/b"}, "/a"),
        ({"STATE_DIRECTORY": "/b:/c"}, "/b"),
        ({"XDG_STATE_HOME": "/x"}, "/x/meshnode"),
        ({"HOME": "/h"}, "/h/.local/state/meshnode"),
    ],
)
def test_the_home_when_no_option_names_it(
    meshnode: Commands, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], home: str
) -> None:
    from meshnode.cli.options import Common

    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert str(Common().directory) == home


def test_a_bad_configuration_is_one_sentence(meshnode: Commands) -> None:
    meshnode.home.mkdir()
    (meshnode.home / "config.toml").write_text("[mesh]\nname = 3\n")
    ran = meshnode("status")
    assert ran.code == 1
    assert ran.err == "meshnode: config.toml: mesh.name: expected text, got a whole number\n"


def test_ctrl_c_ends_without_a_word(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*words: object, **options: object) -> None:
        raise BaseExceptionGroup("tasks", [KeyboardInterrupt(), BrokenPipeError()])

    monkeypatch.setattr(app, "app", interrupted)
    assert app.run(["status"]) == app.INTERRUPTED
    assert capsys.readouterr() == ("", "")


def test_a_question_imports_no_event_loop(meshnode: Commands) -> None:
    code = (
        f"import sys; from meshnode.cli import app; app.run(['status', '--home', {str(meshnode.home)!r}]);"
        " print({'trio', 'cryptography', 'rich'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_a_home_at_rest_is_asked_without_importing_a_node(meshnode: Commands) -> None:
    meshnode("init", "--name", "Ada")
    late = ["meshnode.core.node", "meshnode.daemon.main", "structlog", "meshnode.peering.tcp", "segno"]
    for words, more in (
        (["invite"], ["trio", "apsw"]), (["contact", "list"], []), (["channel", "list"], []), (["inbox"], [])
    ):  # fmt: skip
        asked = [*words, "--home", str(meshnode.home)]
        shown = f"print(set({late + more}) & sys.modules.keys())"
        code = f"import sys; from meshnode.cli import app; app.run({asked}); {shown}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "set()", words


def test_a_node_that_runs_holds_no_library_for_colours() -> None:
    code = "import sys; from meshnode.cli import run; run._load_log(); import meshnode.daemon.main"
    code += "; print({'rich'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
