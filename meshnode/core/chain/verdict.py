"""What each new verified block means for its log.

| arrives                                     | outcome       | then                                                |
|---------------------------------------------|---------------|-----------------------------------------------------|
| the next one, linked to the last            | NEW           | joins the row, and what waited beyond the gap       |
| one further up                              | BEYOND_GAP    | kept, the frontier stays                            |
| one before a checkpoint we began at, linked | NEW           | joins the row at its lower end                      |
| held already                                | DUPLICATE     | dropped; BODY when it brings a body we miss         |
| other than the held one at its seq          | FORK          | prove it with the held header, then `convict`       |
| linked to another than our last             | FORK_BELOW    | kept; the split is further down, look in `below`    |
| at or above the split of a frozen log       | FROZEN        | dropped                                             |
| a checkpoint that contradicts its log       | BAD_CHECKPOINT| kept, the log is frozen there                       |
| too far up, or unlinked below our start     | TOO_FAR       | dropped                                             |
"""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """What a block meant; the table stands above."""

    NEW = "new"
    BODY = "body"
    DUPLICATE = "duplicate"
    BEYOND_GAP = "beyond gap"
    FORK = "fork"
    FORK_BELOW = "fork below"
    FROZEN = "frozen"
    BAD_CHECKPOINT = "bad checkpoint"
    TOO_FAR = "too far"

    @property
    def kept(self) -> bool:
        """True when the block is held now and its row is to be written."""
        return self in (Verdict.NEW, Verdict.BODY, Verdict.BEYOND_GAP, Verdict.FORK_BELOW, Verdict.BAD_CHECKPOINT)

    @property
    def fresh(self) -> bool:
        """True when the header was not here before: a new item, to be sent on."""
        return self.kept and self is not Verdict.BODY
