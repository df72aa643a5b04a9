"""One person has one digest, however the number is written; the digest tells nothing else."""

from hashlib import sha256
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loyalty.vault.blind import ID_NUMBER, PHONE, canonical_id_number, canonical_phone, digest
from loyalty.vault.keyfile import KeyRing
from tests.vault.conftest import new_ring


@pytest.mark.parametrize(
    "written",
    (
        "13812345678",
        "138 1234 5678",
        "138-1234-5678",
        " 13812345678 ",
        "+8613812345678",
        "+86 138 1234 5678",
        "(+86)13812345678",
        "008613812345678",
        "8613812345678",
        "１３８１２３４５６７８",
        "＋８６ 138 1234 5678",
    ),
)
def test_one_number_has_one_digest_however_it_is_written(ring: KeyRing, written: str) -> None:
    expected = digest(ring, PHONE, "+8613812345678")
    assert digest(ring, PHONE, canonical_phone(written)) == expected


def test_a_foreign_number_keeps_its_country() -> None:
    assert canonical_phone("+1 650 253 0000") == "+16502530000"
    assert canonical_phone("010-6552 9988") == "+861065529988"


@pytest.mark.parametrize(
    "written",
    (
        "",
        "12345",
        "1381234567",
        "138123456789",
        "10012345678",
        "+99912345678",
        "1381234567a",
        "13812345678 ext 4",
        "1-800-FLOWERS",
        "13812345678\n13912345678",
        "+" * 41,
        "1" * 5000,
        "张三",
    ),
)
def test_what_is_no_number_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="telephone"):
        canonical_phone(written)


@settings(deadline=None)
@given(st.from_regex(r"(\+86)?1[3-9][0-9]{9}", fullmatch=True))
@example("17900000000")
def test_the_short_way_for_plain_numbers_agrees_with_the_parser(written: str) -> None:
    try:
        found: str | None = canonical_phone(written)
    except ValueError:
        found = None
    assert found == by_the_parser(written)


def by_the_parser(written: str) -> str | None:
    try:
        number = phonenumbers.parse(written, "CN")
    except phonenumbers.NumberParseException:  # a carrier's prefix such as 179 leaves too little
        return None
    valid = phonenumbers.is_valid_number(number)
    return phonenumbers.format_number(number, 0) if valid else None


def test_a_document_s_number_is_compared_in_one_form() -> None:
    forms = ("11010519491231002x", "１１０１０５１９４９１２３１００２Ｘ", "110105 19491231 002X")
    assert {canonical_id_number(form) for form in forms} == {"11010519491231002X"}
    for wrong in ("", "1101/05", "号码", "1" * 41):
        with pytest.raises(ValueError, match="document"):
            canonical_id_number(wrong)


def test_the_same_value_in_two_fields_has_two_digests(ring: KeyRing) -> None:
    assert digest(ring, PHONE, "110105") != digest(ring, ID_NUMBER, "110105")


def test_another_installation_has_other_digests(ring: KeyRing, tmp_path: Path) -> None:
    other = new_ring(tmp_path / "other")
    assert digest(ring, PHONE, "+8613812345678") != digest(other, PHONE, "+8613812345678")


def test_a_digest_cannot_be_made_without_the_key(ring: KeyRing) -> None:
    value = "+8613812345678"
    assert digest(ring, PHONE, value) != sha256(value.encode()).digest()
    assert len(digest(ring, PHONE, value)) == 32
