"""`meshnode device`: the devices that may write in my persona's name."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from meshnode.cli import say
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.control import replies, requests


def list_(*, common: Common = COMMON) -> None:
    """List the devices of my persona.

    Example: meshnode device list
    """
    _show(common, requests.DeviceListRequest())


def revoke(
    device: Annotated[str, Parameter(help="The device, or the beginning of its key as `device list` shows it.")],
    /,
    *,
    common: Common = COMMON,
) -> None:
    """Remove a device for good, in a signed statement to everybody: a lost or stolen one.

    Example: meshnode device revoke 5f3a91c2
    """
    _show(common, requests.DeviceRevokeRequest(device=device))


def adopt(
    device: Annotated[
        str, Parameter(help="The device, or the beginning of its key as `device list` shows it. Default: this one.")
    ] = "",
    /,
    *,
    common: Common = COMMON,
) -> None:
    """After a history split (a copied card, a backup put back): what this node holds of it is right, for everybody.

    Each home keeps what it wrote itself, so run it where the right words were written. Of what another copy wrote after
    the split, everybody lets go; the messages stay in the inbox where they were read.

    Example: meshnode device adopt
    """
    reply = ask(common, requests.DeviceAdoptRequest(device=device), replies.DevicesReply)
    say.answer(common, reply, [_adopted(branch) for branch in reply.adopted])


def _show(common: Common, request: requests.Request) -> None:
    reply = ask(common, request, replies.DevicesReply)
    rows = [(d.device, _standing(d), d.incarnation) for d in reply.devices]
    say.answer(common, reply, say.table(("DEVICE", "STANDING", "INCARNATION"), rows, "no devices"))


def _standing(device: replies.DeviceInfo) -> str:
    split = f", {device.split} of its logs split (see `device adopt`)" if device.split else ""
    return ("revoked" if device.revoked else "in use") + (", this one" if device.own else "") + split


def _adopted(branch: replies.BranchInfo) -> str:
    return f"adopted: blocks {branch.split} to {branch.seq} of channel {branch.log[72:80]}, up to {branch.block[:8]}"
