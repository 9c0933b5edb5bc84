"""`meshnode contact`: the people in my address book."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from meshnode.cli import say
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.control import replies, requests

NAME = Parameter(help="The name I gave this contact, or the beginning of the persona.")


def add(
    uri: Annotated[str, Parameter(help="The contact's invite: a mesh: address, or its words in quotes.")],
    /,
    *,
    name: Annotated[str, Parameter(help="What to call the contact here. Default: the name in the invite.")] = "",
    common: Common = COMMON,
) -> None:
    """Take a contact into the address book.

    Example: meshnode contact add mesh:c1... --name Bo
    """
    _show(common, requests.ContactAddRequest(uri=uri, name=name), "added")


def list_(*, common: Common = COMMON) -> None:
    """List the address book.

    Example: meshnode contact list --json
    """
    reply = ask(common, requests.ContactListRequest(), replies.ContactsReply, offline=True)
    rows = [(c.name, _standing(c), c.persona) for c in reply.contacts]
    say.answer(common, reply, say.table(("NAME", "STANDING", "PERSONA"), rows, "no contacts yet: meshnode contact add"))


def verify(
    name: Annotated[str, NAME],
    /,
    *,
    confirm: Annotated[
        bool, Parameter(negative="", help="The words are the same on both sides: mark the contact verified.")
    ] = False,
    common: Common = COMMON,
) -> None:
    """Compare words with a contact, over a voice call or face to face; then run it again with --confirm.

    Example: meshnode contact verify Bo
    Example: meshnode contact verify Bo --confirm
    """
    request = requests.ContactVerifyRequest(name=name, confirm=confirm)
    reply = ask(common, request, replies.ContactsReply, offline=True)
    one = reply.contacts[0]
    words = [f"Read these words to {say.plain(one.name)}; the other side must see the same:", f"  {one.words}"]
    ask_for_it = [f"Same on both sides? meshnode contact verify {say.plain(one.name)} --confirm"]
    say.answer(common, reply, [f"{say.plain(one.name)} is verified"] if one.verified else words + ask_for_it)


def rename(
    name: Annotated[str, NAME],
    to: Annotated[str, Parameter(help="The new name.")],
    /,
    *,
    common: Common = COMMON,
) -> None:
    """Give a contact another name; only I see it.

    Example: meshnode contact rename Bo "Bo from the mill"
    """
    _show(common, requests.ContactRenameRequest(name=name, to=to), "renamed")


def remove(name: Annotated[str, NAME], /, *, common: Common = COMMON) -> None:
    """Remove a contact from the address book; messages stay.

    Example: meshnode contact remove Bo
    """
    _show(common, requests.ContactRemoveRequest(name=name), "removed")


def block(name: Annotated[str, NAME], /, *, common: Common = COMMON) -> None:
    """Refuse a contact's traffic.

    Example: meshnode contact block Bo
    """
    _show(common, requests.ContactBlockRequest(name=name, blocked=True), "blocked")


def unblock(name: Annotated[str, NAME], /, *, common: Common = COMMON) -> None:
    """Take a blocked contact's traffic again. What was sent meanwhile may be missing: ask for it again.

    Example: meshnode contact unblock Bo
    """
    _show(common, requests.ContactBlockRequest(name=name, blocked=False), "no longer blocked")


def _show(common: Common, request: requests.Request, done: str) -> None:
    reply = ask(common, request, replies.ContactsReply, offline=True)
    say.answer(common, reply, [f"{say.plain(contact.name)} {done} ({contact.persona})" for contact in reply.contacts])


def _standing(contact: replies.ContactInfo) -> str:
    if contact.blocked:
        return "blocked"
    return "verified" if contact.verified else "not verified"
