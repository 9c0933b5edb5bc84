"""`meshnode backup`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from meshnode.cli import say
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.cli.secret import passphrase_from
from meshnode.control import replies, requests


def backup(
    file: Annotated[Path, Parameter(help="The backup to write, for example on a stick.")],
    /,
    *,
    passphrase_file: Annotated[
        Path | None, Parameter(help="Seal it with the passphrase in this file (- is standard input), not with words.")
    ] = None,
    common: Common = COMMON,
) -> None:
    """Save everything of this home, and of the profiles on its page, in one sealed file. The node may run meanwhile.

    Without a passphrase it is sealed with twelve words that are shown once: write them down, nothing else opens it.

    Example: meshnode backup /media/stick/ada.backup
    """
    from meshnode.core.identity.words import to_words
    from meshnode.daemon.entropy import SystemEntropy

    given = passphrase_from(passphrase_file) if passphrase_file else ""
    words = given or " ".join(to_words(SystemEntropy().take("backup words", 24)))
    request = requests.BackupRequest(path=str(file.absolute()), passphrase=words)
    reply = ask(common, request, replies.BackupReply, offline=True)
    shown = [f"{say.size(reply.bytes)} written to {reply.path}, {reply.profiles} profiles with it"]
    data = reply if given else {"path": reply.path, "bytes": reply.bytes, "profiles": reply.profiles, "words": words}
    say.answer(common, data, shown if given else [*shown, f"words: {words}"])
