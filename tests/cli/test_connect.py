"""Who asks more than one question of a node that is just beginning, or begins anew."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from meshnode.cli.ask import connect
from meshnode.cli.options import Common
from meshnode.daemon.lock import LOCK, Lock
from meshnode.errors import NotRunningError


async def test_a_node_that_begins_anew_is_waited_for(tmp_path: Path) -> None:
    home, connected = Common(home=tmp_path), list[str]()

    async def follow() -> None:
        async with connect(home):
            connected.append("yes")

    lock = Lock(tmp_path / LOCK)
    with trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM) as listener:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow)
            await wait_all_tasks_blocked()
            assert not connected
            await listener.bind(str(tmp_path / "control.sock"))
            listener.listen()
    lock.release()
    assert connected


async def test_a_home_that_stays_busy_is_not_waited_for_without_end(tmp_path: Path, autojump_clock: object) -> None:
    lock = Lock(tmp_path / LOCK)
    with pytest.raises(NotRunningError):
        async with connect(Common(home=tmp_path)):
            pass
    lock.release()


async def test_where_nothing_runs_nothing_is_waited_for(tmp_path: Path, autojump_clock: object) -> None:
    began = trio.current_time()
    with pytest.raises(NotRunningError):
        async with connect(Common(home=tmp_path)):
            pass
    assert trio.current_time() == began
