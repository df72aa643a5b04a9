"""Codes cannot be guessed, and are read however a person types them; nothing else is a code."""

import random
import unicodedata
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.coupons.codes import ALPHABET, LONG, SHORT, make_code, mask_code, read_code, show_code

CODES = st.builds(make_code, st.sampled_from([LONG, SHORT]))


def test_a44_codes_are_unique_even_and_in_no_order() -> None:
    codes = [make_code() for _ in range(200_000)]
    assert len(set(codes)) == len(codes)
    counts = Counter(character for code in codes for character in code[:LONG])
    expected = len(codes) * LONG / 31
    chi_squared = sum((counts[c] - expected) ** 2 / expected for c in ALPHABET)
    assert chi_squared < 75, "30 degrees of freedom: more comes once in a hundred thousand runs"
    rising = sum(first < second for first, second in pairwise(codes))
    assert abs(rising / len(codes) - 0.5) < 0.01


def test_a44_the_numbers_come_from_the_system_and_not_from_a_seed() -> None:
    random.seed(7)
    first = make_code()
    random.seed(7)
    assert make_code() != first
    assert 31**LONG > 2**80


@given(CODES)
def test_a52_width_case_spaces_and_hyphens_do_not_matter(code: str) -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) for c in code)
    for typed in (code.lower(), show_code(code), f" {show_code(code).lower()} ", wide):
        assert read_code(typed) == code


@given(CODES, st.data())
def test_a52_one_wrong_character_or_two_exchanged_are_no_code(
    code: str, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(code) - 1))
    other = data.draw(st.sampled_from([c for c in ALPHABET if c != code[place]]))
    assert read_code(code[:place] + other + code[place + 1 :]) is None
    if place and code[place] != code[place - 1]:
        exchanged = code[: place - 1] + code[place] + code[place - 1] + code[place + 1 :]
        assert read_code(exchanged) is None


@given(CODES)
def test_a52_look_alikes_and_invisible_marks_are_no_code(code: str) -> None:
    for mark in ("\n", "\u200b", "\u202e", "\ufeff", "\x00", "\t"):
        assert read_code(code + mark) is None
        assert read_code(mark + code) is None
    cyrillic = {"A": "А", "B": "В", "C": "С", "E": "Е", "H": "Н", "K": "К", "M": "М", "P": "Р"}
    for latin, other in cyrillic.items():
        if latin in code:
            assert read_code(code.replace(latin, other)) is None
    assert read_code(code[:-1]) is None


def test_the_alphabet_has_no_look_alikes() -> None:
    assert not set(ALPHABET) & set("01OIL")
    assert len(set(ALPHABET)) == 31


@given(st.text(max_size=200))
def test_anything_at_all_is_read_without_failing(typed: str) -> None:
    code = read_code(typed)
    assert code is None or set(code) <= set(ALPHABET)
    assert unicodedata.is_normalized("NFKC", code or "")


@pytest.mark.parametrize("length", [LONG, SHORT])
def test_a_masked_code_shows_three_characters(length: int) -> None:
    code = make_code(length)
    masked = mask_code(code)
    assert masked.replace("-", "").strip("•") == code[-3:]
