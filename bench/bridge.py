"""Bytes over an uplink for each message that is delivered across it, with everything around them. Needs root.

Two real nodes with the embedded overlay, peered over TCP; counted is what the wire between them carries, both ways,
Ethernet and IP headers included, from the first word to the last receipt; `read` is what the notes cost that say that
all was read. Texts cannot be compressed.

    python bench/bridge.py                   # 100 messages and 100 posts of 100, 200 and 1,000 B, and after an outage
    python bench/bridge.py --count 300 --sizes 100
"""

from __future__ import annotations

import argparse
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

OUTAGE_AT = 200  # bytes of text


SETTLES_S = 12  # receipts ride together, after nine seconds at most


def at_once(ada: Bridge, bo: Bridge, said: list[str], *words: str) -> int:
    """A burst, until the last of it has its receipt."""
    before, there = ada.wire_bytes(), arrived(ada, bo)
    ada.cli(*words, "--lines", "--json", stdin="".join(f"{text}\n" for text in said))
    until(lambda: arrived(ada, bo) >= there + len(said), "it does not arrive", within_s=180)
    time.sleep(SETTLES_S)
    return ada.wire_bytes() - before


def made_up_for(ada: Bridge, bo: Bridge, said: list[str], *words: str) -> int:
    """Said while the uplink was down."""
    netns.ip("-n", bo.namespace, "link", "set", WIRE, "down")
    until(lambda: ada.status()["bridge"]["state"] == "apart", "nobody notices", within_s=200)
    ada.cli(*words, "--lines", "--json", stdin="".join(f"{text}\n" for text in said))
    before, there = ada.wire_bytes(), arrived(ada, bo)
    netns.ip("-n", bo.namespace, "link", "set", WIRE, "up")
    until(lambda: arrived(ada, bo) >= there + len(said), "it does not catch up", within_s=700)
    time.sleep(SETTLES_S)
    return ada.wire_bytes() - before


def arrived(ada: Bridge, bo: Bridge) -> int:
    """Messages with a receipt, and posts that are there. Whoever looks at a message has read it, and says so."""
    own = json.loads(ada.cli("inbox", "--json"))["messages"]
    receipted = sum(one["from"] == "Ada" and one["state"] in ("delivered", "read") for one in own)
    posts = json.loads(bo.cli("inbox", "--channel", "square", "--json"))["messages"]
    return receipted + sum(one["from"] == "Ada" for one in posts)


def read(ada: Bridge, bo: Bridge) -> int:
    """Looked at: the notes that say so."""
    before = ada.wire_bytes()
    bo.texts()
    time.sleep(SETTLES_S)
    return ada.wire_bytes() - before


def measured(ada: Bridge, bo: Bridge, count: int, sizes: list[int]) -> list[dict[str, object]]:
    """One row for each size, kind and way."""
    rows: list[dict[str, object]] = []
    for size in sizes:
        for kind, words in (("messages", ("send", "Bo")), ("posts", ("post", "square"))):
            for how in (at_once, made_up_for) if size == OUTAGE_AT else (at_once,):
                each = how(ada, bo, texts(len(rows), count, size), *words) / count
                row = {"what": kind, "bytes": size, "how": how.__name__, "wire": round(each)}
                row["over_payload"] = round(each / size, 2)
                rows.append(row | ({"read": read(ada, bo) // count} if kind == "messages" else {}))
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


def main() -> None:
    """All rows, as JSON."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--count", type=int, default=100)
    words.add_argument("--sizes", default="100,200,1000")
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as folder, uplink(Path(folder)) as (ada, bo):
        ada.cli("send", "Bo", "first", "--wait", "delivered", "--timeout", "120")
        bo.cli("post", "square", "first")
        ada.cli("post", "square", "first")
        until(lambda: len(ada.texts()) == 1 and len(bo.texts()) == 2, "it does not settle", within_s=120)
        print(json.dumps(measured(ada, bo, given.count, [int(size) for size in given.sizes.split(",")]), indent=1))


if __name__ == "__main__":
    main()
