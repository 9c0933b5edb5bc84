"""`meshnode doctor`: one cause, one remedy each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from meshnode.cli import say
from meshnode.cli.app import DONE, FAILED
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.control import replies, requests
from meshnode.errors import ConfigError, MeshnodeError, NotRunningError

MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


def doctor(
    *,
    bundle: Annotated[
        Path | None, Parameter(help="Write a file for those who help: without names, keys, addresses, messages.")
    ] = None,
    common: Common = COMMON,
) -> int:
    """Check everything from driver to clock: what is wrong, and what to do. Exit 1 if a check fails.

    Example: meshnode doctor
    Example: meshnode doctor --bundle doctor.tar.gz
    """
    reply = _checked(common)
    if bundle is not None:
        _bundle(bundle, reply, common)
    say.answer(common, reply, [line for check in reply.checks for line in _lines(check)])
    return FAILED if any(check.state == "fail" for check in reply.checks) else DONE


def _checked(common: Common) -> replies.DoctorReply:
    try:
        return _with_kernel(ask(common, requests.DoctorRequest(), replies.DoctorReply))
    except (NotRunningError, ConfigError):
        from meshnode.daemon.doctor import check_resting

        return replies.DoctorReply(checks=check_resting(common.directory))


def _with_kernel(reply: replies.DoctorReply) -> replies.DoctorReply:
    """Whoever asks may be allowed to read the kernel's messages where the node is not."""
    from meshnode.daemon.checks_kernel import check_kernel

    if any(check.name == "kernel" for check in reply.checks):
        return reply
    return replies.DoctorReply(checks=[*reply.checks, *check_kernel()])


def _bundle(file: Path, reply: replies.DoctorReply, common: Common) -> None:
    import msgspec

    from meshnode import config
    from meshnode.daemon import bundle

    try:
        status = msgspec.to_builtins(ask(common, requests.StatusRequest(), replies.StatusReply))
    except (NotRunningError, ConfigError):
        status = {}
    try:
        text = config.read(common.directory / "config.toml").decode(errors="replace")
    except ConfigError:
        text = ""
    hide = [str(common.directory), _name(common)]
    bundle.write(file, bundle.pack(msgspec.to_builtins(reply), status, text, hide))
    say.note(
        f"{file} holds what is above, the state of the node and its configuration; look into it before you send it"
    )


def _name(common: Common) -> str:
    """Whose home it is, empty where it does not open."""
    from meshnode.daemon.home import open_home

    try:
        with open_home(common.directory, lock=False) as home:
            return home.name
    except MeshnodeError:
        return ""


def _lines(check: replies.CheckInfo) -> list[str]:
    first = f"{MARKS[check.state]}  {check.name:<10} {say.plain(check.detail)}"
    return [first, f"{'':<16} do: {check.remedy}"] if check.remedy else [first]
