"""Messages crossing an island, hop by hop."""

from __future__ import annotations

from support.valley import Valley


def test_a_message_crosses_four_hops_and_its_receipt_comes_back() -> None:
    valley = Valley()
    a, *_, e = valley.line("abcde")
    message = a.write(e, "soup is ready")
    valley.run(1.0)
    assert e.inbox() == ["soup is ready"]
    valley.run(20.0)
    assert a.state(message) == "delivered"
    assert a.states_told(message)[:2] == ["kept", "on_air"]
