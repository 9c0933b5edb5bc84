"""`meshnode doctor`: one cause, one remedy each."""

from __future__ import annotations

from meshnode.cli import say
from meshnode.cli.app import DONE, FAILED
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.control import replies, requests
from meshnode.errors import ConfigError, NotRunningError

MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


def doctor(*, common: Common = COMMON) -> int:
    """Check home, store, interface, overlay, clock and disk: what is wrong, and what to do. Exit 1 if a check fails.

    Example: meshnode doctor
    """
    reply = _checked(common)
    say.answer(common, reply, [line for check in reply.checks for line in _lines(check)])
    return FAILED if any(check.state == "fail" for check in reply.checks) else DONE


def _checked(common: Common) -> replies.DoctorReply:
    try:
        return ask(common, requests.DoctorRequest(), replies.DoctorReply)
    except (NotRunningError, ConfigError):
        from meshnode.daemon.doctor import check_resting

        return replies.DoctorReply(checks=check_resting(common.directory))


def _lines(check: replies.CheckInfo) -> list[str]:
    first = f"{MARKS[check.state]}  {check.name:<10} {say.plain(check.detail)}"
    return [first, f"{'':<16} do: {check.remedy}"] if check.remedy else [first]
