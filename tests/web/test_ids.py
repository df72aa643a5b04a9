"""One row has one id, ids sort like rows, and no other spelling is taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.web import ids

numbers = st.integers(0, ids.GREATEST)


def test_an_id_looks_as_documented() -> None:
    assert ids.encode("cus", 17) == "cus_000000000000h"


@given(numbers)
def test_an_id_leads_back_to_its_row(number: int) -> None:
    assert ids.decode("cus", ids.encode("cus", number)) == number


@given(numbers, numbers)
def test_ids_sort_like_rows(one: int, other: int) -> None:
    assert (ids.encode("cus", one) < ids.encode("cus", other)) == (one < other)


@given(st.text(max_size=20))
def test_only_the_canonical_spelling_is_read(text: str) -> None:
    try:
        number = ids.decode("cus", text)
    except ValueError:
        return
    assert ids.encode("cus", number) == text


@pytest.mark.parametrize(
    "text",
    ["cus_8000000000000", "cus_zzzzzzzzzzzzz", "cus_000000000000H", "cus_000000000000i",
     "pur_000000000000h", "cus_000000000000h\n"],
)  # fmt: skip
def test_what_is_no_row_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ids.decode("cus", text)
