"""Programmes: each with its units, zone and currency, and the customers who are its members."""

from loyalty.programmes import wording as wording
from loyalty.programmes.membership import (
    Member,
    enrol,
    find_active_member,
    find_member,
    find_members,
    find_membership,
    find_or_enrol,
    holder_of,
)
from loyalty.programmes.opening import open_programme
from loyalty.programmes.queries import (
    IN_BODY,
    IN_QUERY,
    Programme,
    choose_programme,
    find_programme,
    list_programmes,
    only_programme,
)

__all__ = [
    "IN_BODY",
    "IN_QUERY",
    "Member",
    "Programme",
    "choose_programme",
    "enrol",
    "find_active_member",
    "find_member",
    "find_members",
    "find_membership",
    "find_or_enrol",
    "find_programme",
    "holder_of",
    "list_programmes",
    "only_programme",
    "open_programme",
]
