"""What an interface says it has sent and received."""

from __future__ import annotations

from pathlib import Path

from meshnode.core.inputs import LinkUsed
from meshnode.peering.usage import read_usage

TABLE = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier
    lo: 7364     118    0    0    0     0          0         0     7364     118    0    0    0     0       0          0
 wlan1:9000 90 1 0 0 0 0 7 5000 50 0 0 0 0 0 0
"""


def test_the_counters_of_one_interface(tmp_path: Path) -> None:
    (tmp_path / "dev").write_text(TABLE)
    assert read_usage("wlan1", 3, tmp_path) == LinkUsed("wlan1", 50, 5000, 0, 0, 90, 9000, 3)
    (tmp_path / "dev_snmp6").mkdir()
    (tmp_path / "dev_snmp6" / "wlan1").write_text("ifIndex\t2\nIp6OutMcastPkts\t4\nIp6OutMcastOctets\t400\n")
    assert read_usage("wlan1", proc=tmp_path) == LinkUsed("wlan1", 50, 5000, 4, 400, 90, 9000)


def test_an_interface_that_is_not_there(tmp_path: Path) -> None:
    assert read_usage("wlan1", proc=tmp_path) is None
    (tmp_path / "dev").write_text(TABLE)
    assert read_usage("wlan", proc=tmp_path) is None


def test_this_machine_has_a_loopback() -> None:
    assert read_usage("lo") is not None
