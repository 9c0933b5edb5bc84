"""Places of those who follow the events: everybody keeps room, whoever takes too much gives way first."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from meshnode.web.logins import Login
from meshnode.web.places import EACH, PLACES, Place, Places
from meshnode.web.shapes import Role


def login(who: str, role: Role = "guest") -> Login:
    return Login(who, role, who, Path("socket"))


def lost(places: list[Place]) -> list[int]:
    return [at for at, place in enumerate(places) if place.lost]


def test_the_fifth_of_a_guest_takes_the_place_of_the_guests_first() -> None:
    places, told = Places(), list[str]()
    with ExitStack() as pages:
        maya = [pages.enter_context(places.taken(login("Maya"))) for _ in range(EACH["guest"])]
        noa = pages.enter_context(places.taken(login("Noa")))
        maya[0].leave = lambda: told.append("go")
        maya.append(pages.enter_context(places.taken(login("Maya"))))
        assert (lost(maya), noa.lost, told) == ([0], False, ["go"])
        assert len(places) == EACH["guest"] + 1
    assert len(places) == 0


def test_all_guests_together_leave_the_members_and_the_keeper_their_places() -> None:
    places = Places()
    with ExitStack() as pages:
        guests = [pages.enter_context(places.taken(login(f"guest {at}"))) for at in range(PLACES["guest"])]
        assert not places.is_room(login("one more"))
        assert pages.enter_context(places.taken(login("one more"))).lost
        for role in ("member", "keeper"):
            theirs = [pages.enter_context(places.taken(login(role, role))) for _ in range(EACH[role])]
            assert not lost(theirs)
        assert not lost(guests)


def test_where_it_is_full_who_has_most_gives_way_to_who_has_fewer() -> None:
    places, count = Places(), PLACES["guest"] // EACH["guest"]
    with ExitStack() as pages:
        greedy = [
            [pages.enter_context(places.taken(login(f"guest {at}"))) for _ in range(EACH["guest"])]
            for at in range(count)
        ]
        late = [pages.enter_context(places.taken(login("Late"))) for _ in range(EACH["guest"])]
        assert [lost(one) for one in greedy].count([0]) == 3
        assert lost(late) == [0], "no more than the others have left"
        assert places.is_room(login("later still"))
