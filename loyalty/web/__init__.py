"""What every edge shares: declaring routes, knowing the caller, refusing, ids, fields, pages.

Paths are written `/v1/customers/{customer_id}`. A parameter `<noun>_id` whose noun stands in
`ids.PREFIXES` arrives in the view as the row's number (`int`); a text that is no such id is 404.
"""

from loyalty.web.access import Access, Caller, Kind
from loyalty.web.endpoints import Answer, Endpoint, endpoint, page
from loyalty.web.errors import NotFound, Refused
from loyalty.web.gathering import Call
from loyalty.web.problems import Bilingual, Problem, declare, find_problem, register

__all__ = [
    "Access",
    "Answer",
    "Bilingual",
    "Call",
    "Caller",
    "Endpoint",
    "Kind",
    "NotFound",
    "Problem",
    "Refused",
    "declare",
    "endpoint",
    "find_problem",
    "page",
    "register",
]
