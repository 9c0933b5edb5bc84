"""The program `meshnode`: names of all commands, what their failures mean to a shell, and nothing imported early."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

from cyclopts import App, CycloptsError, Parameter

from meshnode import __version__
from meshnode.errors import MeshnodeError, NotRunningError

DONE, FAILED, WRONG_WORDS, NOT_RUNNING, NOT_YET, INTERRUPTED = 0, 1, 2, 3, 4, 130

HELP = """Messages over Wi-Fi HaLow and Yggdrasil, with no internet: kept, carried, handed on.

Start here:
  meshnode demo                      a mesh of five nodes on this machine
  meshnode init --name Ada           make a home: keys, configuration, store
  meshnode run --interface wlan1     run the node
  meshnode COMMAND --help            what a command does, with an example

Exit codes: 0 done, 1 failed, 2 wrong words, 3 no node is running at this home, 4 not (yet) delivered."""

SINGLE = (
    "init",
    "run",
    "status",
    "doctor",
    "invite",
    "send",
    "post",
    "inbox",
    "watch",
    "why",
    "cancel",
    "neighbours",
    "peers",
    "queue",
    "trace",
    "demo",
    "capture",
    "web",
    "backup",
    "restore",
    "version",
)
GROUPS = {
    "contact": ("People in my address book.", ("add", "list", "verify", "rename", "remove", "block", "unblock")),
    "channel": ("Public channels.", ("create", "join", "leave", "list")),
    "mesh": ("Hand on, take, or renew membership of a mesh.", ("invite", "join", "secrets", "renew", "use", "drop")),
    "device": ("The devices of my persona.", ("list", "revoke", "adopt")),
    "service": ("The node as a service of systemd.", ("install", "remove", "status")),
    "halow": ("The configuration files of a HaLow board.", ("setup", "hotspot")),
    "files": ("Files that messages and posts announced.", ("list", "get", "drop")),
    "peer": ("Yggdrasil peerings, kept over restarts.", ("add", "remove", "list")),
}
# Commands whose names are words of Python.
RENAMED = {"export": "parcel:export_parcel", "import": "parcel:import_parcel", "exec": "inside:exec_"}


def _build(*, whole: bool = False) -> App:
    """All commands. Their code is imported when one is called; with `whole` now, for lists that say what each does."""
    built = App(
        name="meshnode",
        help=HELP,
        help_format="plaintext",
        default_parameter=Parameter(show_default=False),
        version=__version__,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for name in SINGLE:
        built.command(_command(f"meshnode.cli.{name}:{name}", whole), name=name)
    for name, place in RENAMED.items():
        built.command(_command(f"meshnode.cli.{place}", whole), name=name)
    for group, (about, names) in GROUPS.items():
        inner = App(name=group, help=about)
        for name in names:
            function = "list_" if name == "list" else name  # `list` is a type of Python's
            inner.command(_command(f"meshnode.cli.{group}:{function}", whole), name=name)
        built.command(inner)
    return built


def _command(place: str, now: bool) -> Any:
    module, _, function = place.partition(":")
    return getattr(importlib.import_module(module), function) if now else place


app = _build()


def main() -> None:
    """The entry point of the installed program. It speaks UTF-8, whatever the locale says."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, io.TextIOWrapper)]
    for stream in streams:
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    code = run(sys.argv[1:])
    for stream in streams:
        _settle(stream)
    sys.exit(code)


def _settle(stream: io.TextIOWrapper) -> None:
    """What could not be written must not turn the exit code into one of the interpreter's."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def run(words: Sequence[str]) -> int:
    """Run one command line; the number is the exit code."""
    try:
        words = [os.fsencode(word).decode() for word in words]
        chosen = _build(whole=True) if _asks_for_a_list(words) else app
        return chosen(_common_last(words), exit_on_error=False, print_error=False, help_on_error=False) or DONE
    except UnicodeDecodeError:
        return _failed("the words of a command are UTF-8 text; these are not", WRONG_WORDS)
    except BaseExceptionGroup as group:
        return _ended(_gravest(group))
    except (CycloptsError, MeshnodeError, KeyboardInterrupt, BrokenPipeError) as error:
        return _ended(error)


def _asks_for_a_list(words: Sequence[str]) -> bool:
    """True for the help of the program or of a group, which says what each of several commands does."""
    named = [word for word in words if not word.startswith("-")]
    return not words or (bool({"--help", "-h"} & {*words}) and (not named or named[-1] in GROUPS))


def _ended(error: BaseException) -> int:
    match error:
        case CycloptsError():
            return _failed(_sentence(error), WRONG_WORDS)
        case NotRunningError():
            return _failed(str(error), NOT_RUNNING)
        case MeshnodeError():
            return _failed(str(error), FAILED)
        case KeyboardInterrupt():
            return INTERRUPTED
        case BrokenPipeError():
            return _reader_left()
        case _:
            raise error


def _gravest(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What ended several tasks at once: a fault of ours before all, then Ctrl-C, then the first that was said."""
    said = (MeshnodeError, BrokenPipeError, KeyboardInterrupt)
    if group.subgroup(lambda error: not isinstance(error, (*said, BaseExceptionGroup))):
        return group
    interrupted = group.subgroup(KeyboardInterrupt)
    leaf: BaseException = interrupted or group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf


def _common_last(words: Sequence[str]) -> list[str]:
    """`--home` and `--json` may also stand before the command."""
    rest, early = list(words), []
    while rest and (rest[0] in ("--home", "--json") or rest[0].startswith("--home=")):
        count = 2 if rest[0] == "--home" else 1
        early += rest[:count]
        del rest[:count]
    cut = rest.index("--") if "--" in rest else len(rest)
    return rest[:cut] + early + rest[cut:]


def _sentence(error: CycloptsError) -> str:
    text = " ".join(str(error).split()).partition(" Available commands:")[0].rstrip(".")
    known = [word for word in error.command_chain or () if word != "meshnode"]
    return f"{text}; try `{' '.join(['meshnode', *known, '--help'])}`" if "--help" not in text else text


def _failed(text: str, code: int) -> int:
    from meshnode.cli.say import note

    note(text)
    return code


def _reader_left() -> int:
    """Whoever read our output has enough (`meshnode inbox | head`); the interpreter must not complain at exit."""
    from meshnode.cli.say import silence

    silence()
    return DONE
