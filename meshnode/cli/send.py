"""`meshnode send`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from meshnode.cli import say
from meshnode.cli.app import DONE, NOT_YET
from meshnode.cli.ask import ask
from meshnode.cli.attached import file_given, words
from meshnode.cli.options import COMMON, Common
from meshnode.cli.why import describe
from meshnode.control import replies, requests

Wait = Literal["kept", "on_air", "carried", "delivered", "read"]


def send(
    contact: Annotated[str, Parameter(help="Name of the contact, or the beginning of the persona.")],
    text: Annotated[str | None, Parameter(help="The message. Default: standard input.")] = None,
    /,
    *,
    wait: Annotated[Wait, Parameter(help="Return when the message is that far.", show_default=True)] = "kept",
    timeout: Annotated[
        float,
        Parameter(help="Seconds to wait at most; then exit 4, and the message goes on.", show_default=True,
                  validator=validators.Number(gte=0, lte=31_536_000)),
    ] = 60.0,
    cls: Annotated[
        int,
        Parameter(name="--class", help="Priority: 2 ordinary, 3 when there is time, 4 bulk.", show_default=True,
                  validator=validators.Number(gte=1, lte=4)),
    ] = 2,
    lines: Annotated[
        bool,
        Parameter(negative="", help="Each line of standard input is a message; one JSON object back for each."),
    ] = False,
    request: Annotated[
        str,
        Parameter(help="32 hex digits of your choice: given again, it is the same message."),
    ] = "",
    file: Annotated[Path | None, Parameter(help="A file to send along; only the two can read it.")] = None,
    preview: Annotated[Path | None, Parameter(help="A small picture of it, at most 2,400 bytes.")] = None,
    common: Common = COMMON,
) -> int:  # fmt: skip
    """Send a message to a contact; only the two can read it.

    It is kept, carried by others and handed on until it arrives or its lifetime ends. It is deniable: nothing in it is
    signed for others to see.

    Example: meshnode send Bo "soup is ready" --wait delivered
    Example: echo "soup is ready" | meshnode send Bo
    Example: meshnode send Bo "the bridge" --file bridge.jpg
    """
    if lines:
        from meshnode.cli.lines import send_lines

        return send_lines(common, contact, wait, timeout, cls)
    asked = requests.SendRequest(
        contact=contact,
        text=words(text, file),
        wait=wait,
        timeout_s=timeout,
        cls=cls,
        request_id=request,
        file=file_given(file, preview),
    )
    reply = ask(common, asked, replies.StateReply)
    say.answer(common, reply, describe(reply))
    return DONE if reply.reached else NOT_YET
