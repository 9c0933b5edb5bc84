"""The file for those who help says what is wrong and not who it is."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from meshnode.daemon.bundle import Redaction, pack, write

KEY = "3f" * 32
STATUS = {
    "name": "Ada Lovelace", "mesh": "valley", "persona": KEY, "node": "9a" * 32, "version": "1",
    "interface": {"name": "wlh0", "mac": "0c:bf:74:00:00:01", "address": "fe80::ebf:74ff:fe00:1", "mtu": 1500},
    "overlay": {"address": "200:6fc8:9220:f400:5cc2:305a:4ac6:967e", "peers": [{"uri": "tls://192.0.2.7:443"}]},
    "warnings": [{"text": "A device of Ada Lovelace: its history split"}], "uptime_s": 12345678.5,
}  # fmt: skip
CHECKS = [{"name": "home", "detail": "/home/ada/mesh", "remedy": f"node {KEY[:8]} at 192.0.2.7, fe80::ebf:74ff:fe00:1"}]
CONFIG = '[mesh]\nname = "valley"\n[overlay]\npeers = ["tls://203.0.113.9:1", "tcp://bridge.example:2"]\n'
SECRETS = (
    "Ada", "valley", KEY, KEY[:8], "9a9a", "0c:bf", "ebf:74ff", "6fc8", "192.0.2", "203.0", "bridge.example", "ada/",
)  # fmt: skip


def parts(packed: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        return {one.name: tar.extractfile(one).read().decode() for one in tar.getmembers()}  # type: ignore[union-attr]


def test_nobody_is_named_in_it() -> None:
    found = parts(pack(CHECKS, STATUS, CONFIG))
    assert sorted(found) == [
        f"meshnode-doctor/{name}" for name in ("config.toml", "doctor.json", "machine.json", "status.json")
    ]
    for name, text in found.items():
        for secret in SECRETS:
            assert secret not in text, (name, secret)
    assert '"mtu": 1500' in found["meshnode-doctor/status.json"]
    assert "its history split" in found["meshnode-doctor/status.json"]
    assert "12345678.5" in found["meshnode-doctor/status.json"]


def test_the_same_thing_has_the_same_word() -> None:
    hidden = Redaction(["Ada"])
    first, second = hidden.text("Ada and fe80::1"), hidden.text("fe80::1, then Ada; and Adam")
    assert first == "<name-1> and <address-2>"
    assert second == "<address-2>, then <name-1>; and Adam"
    assert hidden.text("it is 12:30:05 on 2026-11-22 at 863.5 MHz, rule 12.1") == (
        "it is 12:30:05 on 2026-11-22 at 863.5 MHz, rule 12.1"
    )


def test_it_is_for_the_person_alone(tmp_path: Path) -> None:
    file = tmp_path / "doctor.tar.gz"
    write(file, pack([], {}, ""))
    assert file.stat().st_mode & 0o077 == 0
