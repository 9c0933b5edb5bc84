"""Bytes over an uplink for each message that is delivered across it, with everything around them. Needs root.

Two real nodes with the embedded overlay, peered over TCP; counted is what the wire between them carries, both ways,
Ethernet and IP headers included, from the first word to the last receipt. Texts cannot be compressed.

    python bench/bridge.py                       # 100 messages and 100 posts of 100, 200 and 1,000 B
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from common import texts

from support import netns
from support.uplink import WIRE, Bridge, uplink
from support.ygg_lab import until

COUNT = 100


def at_once(ada: Bridge, bo: Bridge, said: list[str], *words: str) -> int:
    """A burst, until the last of it has its receipt."""
    before, known = ada.wire_bytes(), len(bo.texts())
    ada.cli(*words, "--lines", "--json", stdin="".join(f"{text}\n" for text in said))
    until(lambda: len(bo.texts()) >= known + len(said), "it does not arrive", within_s=180)
    time.sleep(12)  # receipts ride together, after nine seconds at most
    return ada.wire_bytes() - before


def made_up_for(ada: Bridge, bo: Bridge, said: list[str], *words: str) -> int:
    """Said while the uplink was down."""
    netns.ip("-n", bo.namespace, "link", "set", WIRE, "down")
    until(lambda: ada.status()["bridge"]["state"] == "apart", "nobody notices", within_s=200)
    ada.cli(*words, "--lines", "--json", stdin="".join(f"{text}\n" for text in said))
    before, known = ada.wire_bytes(), len(bo.texts())
    netns.ip("-n", bo.namespace, "link", "set", WIRE, "up")
    until(lambda: len(bo.texts()) >= known + len(said), "it does not catch up", within_s=700)
    time.sleep(12)
    return ada.wire_bytes() - before


def main() -> None:
    """All rows, as JSON."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, uplink(Path(folder)) as (ada, bo):
        ada.cli("send", "Bo", "first", "--wait", "delivered", "--timeout", "120")
        bo.cli("post", "square", "first")
        ada.cli("post", "square", "first")
        until(lambda: len(ada.texts()) == 1 and len(bo.texts()) == 2, "it does not settle", within_s=120)
        for size in (100, 200, 1000):
            for kind, words in (("messages", ("send", "Bo")), ("posts", ("post", "square"))):
                for how in (at_once, made_up_for) if size == 200 else (at_once,):
                    used = how(ada, bo, texts(len(rows), COUNT, size), *words)
                    row = {"what": kind, "bytes": size, "how": how.__name__, "wire": used // COUNT}
                    rows.append(row | {"over_payload": round(used / COUNT / size, 2)})
                    print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
