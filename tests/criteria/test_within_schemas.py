"""Criteria are a field like others: loaded, dumped, documented, their faults pointed to."""

import warnings
from typing import Any

import pytest
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from loyalty import criteria
from loyalty.criteria import CriteriaField
from loyalty.web import Refused
from loyalty.web.fields import Whole
from loyalty.web.validation import load_body
from tests.criteria.examples import FIELDS, ask


class RuleSchema(Schema):
    """A rule with criteria of each purpose."""

    points = Whole(required=True)
    criteria = CriteriaField(FIELDS)
    audience = CriteriaField(FIELDS, purpose="marketing")


def test_criteria_are_loaded_and_dumped() -> None:
    document = {"all": [ask("purchase.amount", "ge", 100)]}
    loaded = load_body(RuleSchema(), {"points": 1, "criteria": document})
    assert loaded["criteria"] == criteria.parse(document, FIELDS)
    assert RuleSchema().dump(loaded) == {"points": 1, "criteria": document}


def test_faults_within_criteria_are_pointed_to_from_the_body() -> None:
    body = {
        "points": "1",
        "criteria": {"all": [ask("purchase.amount", "ge", "100"), {"any": []}]},
        "audience": ask("customer.birthday", "is_null"),
    }
    with pytest.raises(Refused) as refused:
        load_body(RuleSchema(), body)
    assert {(error["pointer"], error["code"]) for error in refused.value.errors} == {
        ("/points", "integer"),
        ("/criteria/all/0/value", "integer"),
        ("/criteria/all/1/any", "length"),
        ("/audience/field", "not_for_marketing"),
    }


@pytest.mark.parametrize("value", [None, [], "x", 7])
def test_what_is_no_object_is_refused_at_the_field(value: Any) -> None:
    with pytest.raises(Refused) as refused:
        load_body(RuleSchema(), {"points": 1, "criteria": value})
    (error,) = refused.value.errors
    assert error["pointer"] == "/criteria"


def test_the_api_document_shows_an_object() -> None:
    plugin = MarshmallowPlugin()
    spec = APISpec("Rules", "1", "3.1.0", plugins=[plugin])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spec.components.schema("Rule", schema=RuleSchema)
    shown = spec.to_dict()["components"]["schemas"]["Rule"]["properties"]["criteria"]
    assert shown["type"] == "object"
