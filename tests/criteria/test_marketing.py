"""Marketing asks only about fields that are declared for it."""

import pytest

from loyalty import criteria
from loyalty.criteria import MARKETING, Catalogue, Field, InvalidCriteria, Source, Type
from tests.criteria.examples import FIELDS, ask

TITLE = ("某项", "something")


@pytest.mark.parametrize(
    ("name", "code", "zh"),
    [
        ("customer.birthday", "not_for_marketing", "该字段不得用于营销"),
        ("credit.overdue", "credit_report", "征信信息不得用于营销"),
        ("device.address", "antifraud", "反诈监测信息不得用于营销"),
    ],
)
def test_a_field_that_marketing_may_not_use_is_refused(name: str, code: str, zh: str) -> None:
    document = {"all": [ask("purchase.amount", "ge", 1), {"not": ask(name, "is_null")}]}
    criteria.parse(document, FIELDS)
    with pytest.raises(InvalidCriteria) as refused:
        criteria.parse(document, FIELDS, purpose=MARKETING)
    (error,) = refused.value.errors
    assert (error["pointer"], error["code"]) == ("/all/1/not/field", code)
    assert error["detail"][0] == zh


def test_a_field_declared_for_marketing_is_taken() -> None:
    assert criteria.parse(ask("purchase.amount", "ge", 1), FIELDS, purpose=MARKETING)


def test_an_unknown_purpose_opens_nothing() -> None:
    with pytest.raises(ValueError, match="no purpose"):
        criteria.parse(ask("purchase.amount", "ge", 1), FIELDS, purpose="Marketing")  # type: ignore[arg-type]


def test_marketing_has_to_be_allowed_by_name() -> None:
    assert not Field("a.b", Type.TEXT, Source.PROGRAMME, TITLE).marketing


@pytest.mark.parametrize("source", [Source.CREDIT_BUREAU, Source.FRAUD_MONITOR])
def test_some_sources_can_never_be_declared_for_marketing(source: Source) -> None:
    with pytest.raises(ValueError, match="never for marketing"):
        Field("a.b", Type.TEXT, source, TITLE, marketing=True)


@pytest.mark.parametrize("name", ["a", "a.", "A.b", "a.b c", "a.__class__", "a.b\n", "a.b.c.d.e"])
def test_a_field_has_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        Field(name, Type.TEXT, Source.PROGRAMME, TITLE)


def test_criteria_never_ask_about_secrets() -> None:
    with pytest.raises(ValueError, match="C3"):
        Field("a.b", Type.TEXT, Source.PROGRAMME, TITLE, data_class="C3")


def test_a_field_has_a_title_in_both_languages() -> None:
    with pytest.raises(ValueError, match="title"):
        Field("a.b", Type.TEXT, Source.PROGRAMME, ("某项", ""))


def test_catalogues_compose_and_one_name_means_one_field() -> None:
    own = Field("a.b", Type.TEXT, Source.PROGRAMME, TITLE)
    both = Catalogue.of([*FIELDS, own, own])
    assert both["a.b"] is own
    assert len(both) == len(FIELDS) + 1
    with pytest.raises(ValueError, match=r"a\.b"):
        Catalogue.of([own, Field("a.b", Type.INTEGER, Source.PROGRAMME, TITLE)])
