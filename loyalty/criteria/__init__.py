"""Criteria: conditions on declared fields, as data.

One small typed JSON language: `{"all": […]}`, `{"any": […]}`, `{"not": …}` and tests such as
`{"field": "purchase.category", "is": "in", "value": ["5411"]}`. One fact is judged in Python
(`prepare`, `evaluate`, `explain`), a set of rows in PostgreSQL (`compile`), with one meaning: a
test of a missing value does not hold, and `not` turns that round. Nothing is ever executed,
rendered or matched as a pattern.
"""

from loyalty.criteria.catalogue import OPERATORS, Catalogue, Field, Operator, Source, Type
from loyalty.criteria.compilation import compile
from loyalty.criteria.description import describe
from loyalty.criteria.evaluation import Facts, evaluate, explain, prepare
from loyalty.criteria.parsing import MARKETING, InvalidCriteria, parse
from loyalty.criteria.schemas import CriteriaField
from loyalty.criteria.tree import AllOf, AnyOf, Criteria, Not, Test, digest, dump, field_names

__all__ = [
    "MARKETING",
    "OPERATORS",
    "AllOf",
    "AnyOf",
    "Catalogue",
    "Criteria",
    "CriteriaField",
    "Facts",
    "Field",
    "InvalidCriteria",
    "Not",
    "Operator",
    "Source",
    "Test",
    "Type",
    "compile",
    "describe",
    "digest",
    "dump",
    "evaluate",
    "explain",
    "field_names",
    "parse",
    "prepare",
]
