"""Places of those who follow the events: each role has its own, so that no crowd of guests shuts out the keeper.

Who takes one more than a person may gives up the oldest of the own ones: a phone that lost its line need not wait until
the box notices. Where a role has no place left, who holds most of them gives one up, as long as that is fairer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from meshnode.web.logins import Login
from meshnode.web.shapes import Role

PLACES: Final[Mapping[Role, int]] = {"guest": 128, "member": 104, "keeper": 24}
EACH: Final[Mapping[Role, int]] = {"guest": 4, "member": 24, "keeper": 24}


@dataclass(slots=True, eq=False)
class Place:
    """One person's. `leave` is called when it is `lost`."""

    owner: str
    leave: Callable[[], None] = lambda: None
    lost: bool = False


class Places:
    """All of a page."""

    def __init__(self) -> None:
        self._taken: dict[Role, list[Place]] = {role: [] for role in PLACES}  # the oldest first

    def __len__(self) -> int:
        return sum(map(len, self._taken.values()))

    def is_room(self, login: Login) -> bool:
        """False when this person can have none now."""
        return self._giving(login) is not None

    @contextmanager
    def taken(self, login: Login) -> Iterator[Place]:
        """A place while this block lasts, unless it is lost before; where there is no room, it is from the start."""
        held, place = self._taken[login.role], Place(login.id)
        giving = self._giving(login)
        if giving:
            self._give_up(next(one for one in held if one.owner == giving), held)
        if giving is None:
            place.lost = True
        else:
            held.append(place)
        try:
            yield place
        finally:
            if not place.lost:
                held.remove(place)

    def _giving(self, login: Login) -> str | None:
        """Who gives up a place for this person: nobody need to (""), or nobody can."""
        owners = Counter(one.owner for one in self._taken[login.role])
        own = owners[login.id]
        if own >= EACH[login.role]:
            return login.id
        if owners.total() < PLACES[login.role]:
            return ""
        greedy, most = owners.most_common(1)[0]
        if most > own + 1:
            return greedy
        return login.id if own else None

    def _give_up(self, place: Place, held: list[Place]) -> None:
        held.remove(place)
        place.lost = True
        place.leave()
