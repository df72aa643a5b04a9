"""Who may call a route, and who is calling."""

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

from loyalty.web import ids
from loyalty.web.errors import NotFound, Refused


class Kind(StrEnum):
    """Kinds of caller; also the kinds of rule that let them in."""

    PUBLIC = "public"
    TOKEN = "token"  # noqa: S105 - a kind of access, no credential
    SYSTEM = "system"
    CUSTOMER = "customer"
    PARTNER = "partner"
    STAFF = "staff"
    JOB = "job"


NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: `kind` and public `id` (`cli_…`, `cus_…`, `stf_…`, a job's name, or empty).

    `partner_id` is set for a partner's client and for the people at its counters. Whoever calls
    from a `sandbox` tries things out, and reaches only the routes that say they are made for it.
    """

    kind: str
    id: str
    scopes: frozenset[str] = NOBODY
    roles: frozenset[str] = NOBODY
    customer_id: int | None = None
    token_fingerprint: str = ""
    request_id: str = ""
    partner_id: int | None = None
    sandbox: bool = False

    @classmethod
    def job(cls, name: str, request_id: str = "") -> Self:
        """Return the caller that stands for background work called `name`."""
        return cls(kind=Kind.JOB, id=name, request_id=request_id)

    @classmethod
    def public(cls, request_id: str = "") -> Self:
        """Return the caller who showed no token."""
        return cls(kind=Kind.PUBLIC, id="", request_id=request_id)

    def signed(self, fingerprint: str, request_id: str) -> Self:
        """Return this caller as signed in by browser, seen in one request."""
        return replace(self, token_fingerprint=fingerprint, request_id=request_id)

    def on(self, request_id: str) -> Self:
        """Return this caller as seen in one request."""
        return replace(self, request_id=request_id)


@dataclass(frozen=True, slots=True)
class Access:
    """The rule that a route declares. Build one with the class methods.

    `by_session`: a page, for who is signed in by browser; no bearer token opens it.
    """

    kind: str
    scope: str = ""
    roles: frozenset[str] = NOBODY
    sandbox: bool = False
    by_session: bool = False

    @classmethod
    def public(cls) -> Self:
        """Anybody, without a token."""
        return cls(Kind.PUBLIC)

    @classmethod
    def token(cls) -> Self:
        """Anybody with a valid token of any kind."""
        return cls(Kind.TOKEN)

    @classmethod
    def system(cls, scope: str) -> Self:
        """A client of the bank that holds `scope`."""
        return cls(Kind.SYSTEM, scope=scope)

    @classmethod
    def customer(cls, scope: str) -> Self:
        """The customer of the path (`customer_id`, or `me`), or a client; both need `scope`."""
        return cls(Kind.CUSTOMER, scope=scope)

    @classmethod
    def partner(cls, scope: str, *, staff: Iterable[str] = (), sandbox: bool = False) -> Self:
        """A partner that holds `scope`, and of staff whoever holds one of the roles `staff`.

        Of a path's `partner_id` a partner sees its own alone (or `me`). `sandbox` lets in those
        who try things out: the route must answer them by `partners.sandbox_answer`, and write
        nothing.
        """
        return cls(Kind.PARTNER, scope=scope, roles=frozenset(staff), sandbox=sandbox)

    @classmethod
    def staff(cls, *roles: str, or_system: str = "") -> Self:
        """A member of staff who holds at least one of `roles`.

        With `or_system` also a client that holds this scope.
        """
        if not roles:
            raise ValueError("name at least one role")
        return cls(Kind.STAFF, scope=or_system, roles=frozenset(roles))

    @classmethod
    def browser(cls, kind: str, *roles: str) -> Self:
        """Somebody of `kind` who is signed in by browser, with one of `roles` if any are named."""
        return cls(kind, roles=frozenset(roles), by_session=True)

    def check(self, caller: Caller) -> None:
        """Return if `caller` may use the route at all, whatever row the path names.

        Decided before the path is looked at, so a refusal tells nothing about any row. Raises
        `Refused` with `insufficient-scope` or `forbidden`.
        """
        if self.kind in (Kind.PUBLIC, Kind.TOKEN):
            return
        if self.by_session:
            if caller.kind != self.kind or (self.roles and not self.roles & caller.roles):
                raise Refused("forbidden")
            return
        if self.kind == Kind.PARTNER:
            self._check_partner(caller)
            return
        if self.kind == Kind.STAFF and not (self.scope and caller.kind == Kind.SYSTEM):
            if caller.kind != Kind.STAFF or not (self.roles & caller.roles):
                raise Refused("forbidden")
            return
        kinds = (Kind.SYSTEM, Kind.CUSTOMER) if self.kind == Kind.CUSTOMER else (Kind.SYSTEM,)
        if caller.kind not in kinds:
            raise Refused("forbidden")
        if self.scope not in caller.scopes:
            raise Refused("insufficient-scope")

    def _check_partner(self, caller: Caller) -> None:
        if caller.kind == Kind.STAFF and self.roles & caller.roles:
            return
        if caller.kind != Kind.PARTNER or (caller.sandbox and not self.sandbox):
            raise Refused("forbidden")
        if self.scope not in caller.scopes:
            raise Refused("insufficient-scope")


def resolve_path(caller: Caller, path: MutableMapping[str, Any], names: Iterable[str]) -> None:
    """Turn the public ids in `path` into row numbers, in place.

    `names` are the parameters whose noun has a prefix. `me` is the calling customer or partner, and
    their tokens see themselves alone: raises `NotFound` for everything else, exactly
    as for an id that does not exist.
    """
    if not all(text.isprintable() for text in path.values()):
        raise NotFound  # PostgreSQL takes no NUL, and nothing of ours has such a name
    own = {"customer_id": caller.customer_id, "partner_id": caller.partner_id}
    for name in names:
        text = path[name]
        if text == "me" and own.get(name) is not None:
            path[name] = own[name]
            continue
        try:
            path[name] = ids.decode(ids.PREFIXES[name.removesuffix("_id")], text)
        except ValueError:
            raise NotFound from None
    for name, number in own.items():
        if number is not None and path.get(name) not in (None, number):
            raise NotFound
