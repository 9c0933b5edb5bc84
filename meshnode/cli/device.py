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


def _show(common: Common, request: requests.Request) -> None:
    reply = ask(common, request, replies.DevicesReply)
    rows = [(d.device, _standing(d), d.incarnation) for d in reply.devices]
    say.answer(common, reply, say.table(("DEVICE", "STANDING", "INCARNATION"), rows, "no devices"))


def _standing(device: replies.DeviceInfo) -> str:
    return ("revoked" if device.revoked else "in use") + (", this one" if device.own else "")
