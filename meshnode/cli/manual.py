"""docs/how-to/commands.md, made from the help of all commands (`python -m meshnode.cli.manual`)."""

from __future__ import annotations

import re

from meshnode.cli.app import app

HEAD = """# Commands

Made from `meshnode COMMAND --help` (`python -m meshnode.cli.manual`).

{about}

Every command takes `--home DIR` and `--json`, and may be given them first. Answers go to stdout; progress, warnings and
errors to stderr, an error in one sentence. Times in JSON are RFC 3339 UTC; ids and keys are lower-case hex.
"""

_COMMON = re.compile(r"^\* `--(home|json)\b.*\n", re.MULTILINE)
_EMPTY = re.compile(r"\*\*Parameters\*\*:\n\n(?=\n?##|\n*\Z)")
_BLANKS = re.compile(r"\n{3,}")
_EXAMPLES = re.compile(r"((?:^Example: .*\n)+)", re.MULTILINE)


def documentation() -> str:
    """The page."""
    whole = app.generate_docs(output_format="markdown", recursive=True)
    commands = whole[whole.index("## meshnode init") :]
    about = app.help.split("Start here")[0].strip()
    return (
        HEAD.format(about=about)
        + "\n"
        + _EXAMPLES.sub(_fenced, _EMPTY.sub("", _COMMON.sub("", commands))).strip()
        + "\n"
    )


def _fenced(examples: re.Match[str]) -> str:
    lines = examples[1].replace("Example: ", "").strip()
    return f"```sh\n{lines}\n```\n"


if __name__ == "__main__":
    print(documentation(), end="")
