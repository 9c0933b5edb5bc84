"""The program `meshnode-sim`: names of all commands, and what failures mean to a shell; nothing imported early."""

from __future__ import annotations

import os
import sys
from typing import Final

from cyclopts import App, CycloptsError

from meshnode import __version__
from meshnode.errors import MeshnodeError

DONE, FAILED, WRONG_WORDS, INTERRUPTED = 0, 1, 2, 130

HELP: Final = """Meshes on one machine, over a modelled HaLow radio.

Start here:
  meshnode-sim list                  the scenarios that ship
  meshnode-sim run line              one of them in virtual time, in a second or two
  meshnode-sim run valley --report valley.html    and a page that shows what happened
  meshnode-sim lab line --for 30     five real daemons in a line, for half a minute
  meshnode-sim new mine.toml         a commented scenario to change
  meshnode-sim modem newracom        fake serial modems on pseudo-terminals"""

COMMANDS: Final = {
    "run": "run:run",
    "sweep": "sweep:sweep",
    "compare": "compare:compare",
    "swarm": "swarm:swarm",
    "replay": "replay:replay",
    "lab": "lab:lab",
    "modem": "modem:modem",
    "list": "files:list_",
    "new": "files:new",
    "check": "files:check",
    "import": "files:import_",
}


def _build() -> App:
    """All commands; their code is imported when one is called."""
    built = App(
        name="meshnode-sim",
        help=HELP,
        help_format="plaintext",
        version=__version__,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for name, place in COMMANDS.items():
        built.command(f"meshnode_sim.cli.{place}", name=name)
    return built


app = _build()


def main() -> None:
    """The entry point of the installed program."""
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """One command line; the number is the exit code."""
    try:
        app(words, exit_on_error=False, print_error=False, help_on_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        print(f"meshnode-sim: {' '.join(str(error).split())}", file=sys.stderr)
        return WRONG_WORDS
    except MeshnodeError as error:
        print(f"meshnode-sim: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # whoever read us has read enough, as `| head` does; the exit would flush, and say so
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return DONE


if __name__ == "__main__":
    main()
