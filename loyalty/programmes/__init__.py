"""Programmes: each with its units, zone and currency, and the customers who are its members."""

from loyalty.programmes.membership import Member, enrol, find_members, find_or_enrol, holder_of
from loyalty.programmes.opening import open_programme
from loyalty.programmes.queries import Programme, find_programme, list_programmes, only_programme

__all__ = [
    "Member",
    "Programme",
    "enrol",
    "find_members",
    "find_or_enrol",
    "find_programme",
    "holder_of",
    "list_programmes",
    "only_programme",
    "open_programme",
]
