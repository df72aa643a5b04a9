"""The three sites for people: their menus and the panels of their home pages.

Slices put screens into a menu and panels onto a page; the page shows whatever slices there are.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from loyalty.web.access import NOBODY, Access, Caller, Kind
from loyalty.web.problems import Bilingual


@dataclass(frozen=True, slots=True)
class Menu:
    """Where a screen stands in the menu: smaller places first; `key` follows `g` to go there."""

    place: int
    icon: str
    key: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A screen in a menu, for those who hold one of `roles` (none: everybody of the site)."""

    menu: Menu
    path: str
    words: Bilingual
    roles: frozenset[str]

    def is_for(self, caller: Caller) -> bool:
        """Return whether this caller may open the screen."""
        return not self.roles or bool(self.roles & caller.roles)


@dataclass(frozen=True, slots=True)
class Site:
    """One of the sites: where it begins, where one signs in, what it is called."""

    home: str
    sign_in: str
    words: Bilingual
    menu: list[Entry] = field(default_factory=list)

    def entries(self, caller: Caller) -> list[Entry]:
        """Return what stands in the caller's menu, in order."""
        mine = [entry for entry in self.menu if entry.is_for(caller)]
        return sorted(mine, key=lambda entry: entry.menu.place)


SITES: dict[str, Site] = {
    Kind.CUSTOMER: Site("/my", "/my/sign-in", Bilingual("我的权益", "My benefits")),
    Kind.STAFF: Site("/console", "/console/sign-in", Bilingual("工作台", "Console")),
    Kind.PARTNER: Site("/counter", "/counter/sign-in", Bilingual("核销台", "Counter")),
}

Read = Callable[..., Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a page that a slice brings: `read` gives its template what it shows, or None."""

    place: int
    template: str
    access: Access
    read: Read


_PANELS: dict[str, list[Panel]] = {}


def panel(page: str, place: int, template: str, access: Access) -> Callable[[Read], Read]:
    """Put a part onto `page`.

    The function names what it wants of `session`, `caller` and what the page adds.
    """

    def declare(read: Read) -> Read:
        _PANELS.setdefault(page, []).append(Panel(place, template, access, read))
        return read

    return declare


def read_panels(
    page: str, session: Session, caller: Caller, **more: Any
) -> list[tuple[str, Mapping[str, Any]]]:
    """Return template and content of each part of `page` that the caller may see, in order."""
    found = []
    for part in sorted(_PANELS.get(page, ()), key=lambda one: one.place):
        if part.access.roles == NOBODY or part.access.roles & caller.roles:
            offered = {"session": session, "caller": caller, **more}
            takes = inspect.signature(part.read).parameters
            content = part.read(**{name: offered[name] for name in takes})
            if content is not None:
                found.append((part.template, content))
    return found
