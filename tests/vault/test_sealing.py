"""A sealed value opens only where it was sealed: that customer, table, column and installation."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.vault.ciphers import Algorithm, Unreadable, bind, new_key
from loyalty.vault.customer_keys import HEADER, CustomerKey, KeyVersion, make_key
from loyalty.vault.keyfile import KeyRing
from tests.vault.conftest import new_ring

COLUMN = "loyalty.customers.name"


@settings(deadline=None)
@given(st.text(max_size=200), st.sampled_from(Algorithm))
def test_what_was_sealed_reads_back(plain: str, kind: Algorithm) -> None:
    key = CustomerKey("o", 7, {1: KeyVersion(kind, 1, new_key(kind))})
    assert key.unseal(COLUMN, key.seal(COLUMN, plain)) == plain


def test_a_value_names_the_algorithm_of_the_installation(ring: KeyRing, algorithm: str) -> None:
    sealed = make_key(ring, 7).seal(COLUMN, "张三")
    form, kind, wrapping_version, key_version = HEADER.unpack(sealed[: HEADER.size])
    assert (form, Algorithm(kind).label, wrapping_version, key_version) == (1, algorithm, 1, 1)


def test_a_value_moved_to_another_column_does_not_open(ring: KeyRing) -> None:
    key = make_key(ring, 7)
    sealed = key.seal(COLUMN, "13812345678")
    for other in ("loyalty.customers.phone", "loyalty.complaints.name", "loyalty.customersname."):
        with pytest.raises(Unreadable):
            key.unseal(other, sealed)


def test_a_value_moved_to_another_customer_does_not_open_even_with_the_same_key(
    ring: KeyRing,
) -> None:
    key = make_key(ring, 7)
    sealed = key.seal(COLUMN, "张三")
    with pytest.raises(Unreadable):
        replace(key, customer_id=8).unseal(COLUMN, sealed)
    with pytest.raises(Unreadable):
        make_key(ring, 8).unseal(COLUMN, sealed)


def test_a_value_moved_to_another_installation_does_not_open(ring: KeyRing) -> None:
    key = make_key(ring, 7)
    sealed = key.seal(COLUMN, "张三")
    with pytest.raises(Unreadable):
        replace(key, organisation="another").unseal(COLUMN, sealed)


def test_every_changed_byte_is_noticed(ring: KeyRing) -> None:
    key = make_key(ring, 7)
    sealed = key.seal(COLUMN, "张三")
    for place in range(len(sealed)):
        changed = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(Unreadable):
            key.unseal(COLUMN, changed)


def test_a_value_cut_anywhere_does_not_open(ring: KeyRing) -> None:
    key = make_key(ring, 7)
    sealed = key.seal(COLUMN, "张三")
    for length in range(len(sealed)):
        with pytest.raises(Unreadable):
            key.unseal(COLUMN, sealed[:length])


def test_ten_thousand_nonces_are_all_different(ring: KeyRing) -> None:
    key = make_key(ring, 7)
    start = HEADER.size
    nonces = {key.seal(COLUMN, "张三")[start : start + 12] for _ in range(10_000)}
    assert len(nonces) == 10_000


def test_the_newest_key_version_seals_and_older_values_stay_readable(ring: KeyRing) -> None:
    first = make_key(ring, 7)
    before = first.seal(COLUMN, "before")
    kind = ring.newest.algorithm
    both = replace(first, versions={**first.versions, 2: KeyVersion(kind, 1, new_key(kind))})
    after = both.seal(COLUMN, "after")
    assert (both.unseal(COLUMN, before), both.unseal(COLUMN, after)) == ("before", "after")
    with pytest.raises(Unreadable):
        first.unseal(COLUMN, after)


def test_different_lists_never_bind_alike() -> None:
    assert bind("ab", "c") != bind("a", "bc")
    assert bind("a", "") != bind("", "a") != bind("a")


def test_no_representation_shows_a_key(tmp_path: Path) -> None:
    ring = new_ring(tmp_path / "keys")
    key = make_key(ring, 7)
    shown = repr(ring) + repr(key) + repr(ring.newest)
    for secret in (ring.newest.key, ring.index_key, key.versions[1].key):
        assert repr(secret) not in shown
        assert secret.hex() not in shown
