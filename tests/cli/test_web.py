"""`meshnode web` in words."""

from __future__ import annotations

from meshnode.cli.web import lines
from meshnode.control.replies import CodeReply


def test_an_address_that_this_machine_lacks_is_said_to_be_absent() -> None:
    here, later = "http://127.0.0.1:8080/", "http://10.43.0.1:8080/"
    assert lines(CodeReply(code="abcd-efgh", addresses=[here, later], absent=[later])) == [
        f"page         {here}",
        f"page         {later}  (not yet: no interface has this address)",
        "set-up code  abcd-efgh",
    ]
    assert lines(CodeReply(code="", addresses=[here]))[-1] == "set-up code  none: this box has a keeper"
