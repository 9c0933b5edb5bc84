"""How an invite is shown: as an address, as a QR code, as words."""

from __future__ import annotations

import sys

from meshnode.cli import say
from meshnode.cli.options import Common
from meshnode.control import replies

QR_HELP = "Draw it as a QR code in the terminal."
WORDS_HELP = "Spell it as words, to be read aloud or written down."


def invite(common: Common, reply: replies.UriReply, *, qr: bool, words: bool) -> None:
    """The address, and after it what else was asked for."""
    spelled = _words(reply.uri) if words else ""
    if common.json:
        said = {field: getattr(reply, field) for field in reply.__struct_fields__}
        say.answer(common, {**said, "words": spelled} if words else reply, ())
        return
    say.out(reply.uri)
    if qr:
        _qr(reply.uri)
    if words:
        say.out(spelled)


def _qr(uri: str) -> None:
    import segno

    segno.make(uri, error="l", micro=False).terminal(out=sys.stdout, border=2, compact=True)


def _words(uri: str) -> str:
    from meshnode.core.identity.invite import invite_words

    return invite_words(uri)
