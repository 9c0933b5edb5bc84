"""What each new verified block means for its log.

| arrives                                     | outcome       | then                                                |
|---------------------------------------------|---------------|-----------------------------------------------------|
| the next one, linked to the last            | NEW           | joins the row, and what waited beyond the gap       |
| one further up                              | BEYOND_GAP    | kept, the frontier stays                            |
| held already                                | DUPLICATE     | dropped; BODY when it brings a body we miss         |
| other than the held one at its seq          | FORK          | prove it with the held header, then `convict`       |
| linked to another than our last             | FORK_BELOW    | kept; the split is further down, look in `below`    |
| at or above the split of a frozen log       | FROZEN        | dropped                                             |
| a checkpoint that contradicts its log       | BAD_CHECKPOINT| kept, the log is frozen there                       |
| more further up than are kept there         | TOO_FAR       | dropped                                             |
"""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """What a block meant; the table stands above.

    `kept`: the block is held now and its row is to be written. `fresh`: its header was not here before.
    """

    NEW = "new", True, True
    BODY = "body", True, False
    DUPLICATE = "duplicate", False, False
    BEYOND_GAP = "beyond gap", True, True
    FORK = "fork", False, False
    FORK_BELOW = "fork below", True, True
    FROZEN = "frozen", False, False
    BAD_CHECKPOINT = "bad checkpoint", True, True
    TOO_FAR = "too far", False, False

    def __init__(self, words: str, kept: bool, fresh: bool) -> None:
        self.words = words
        self.kept = kept
        self.fresh = fresh
