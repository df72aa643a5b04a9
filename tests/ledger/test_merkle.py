"""Trees: roots and proofs are those of RFC 9162, and no forged proof passes."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import canonical_json, encode, leaf_bytes
from ledger.merkle import FAN_OUT, Hashing, Tree, verify_consistency, verify_inclusion

HASHING = Hashing("sha-256")
sizes = st.integers(1, 1200)


def naive_root(hashes: list[bytes]) -> bytes:
    """The definition, word for word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return hashlib.sha256(b"\1" + naive_root(hashes[:k]) + naive_root(hashes[k:])).digest()


def leaves(size: int) -> list[bytes]:
    return [HASHING.leaf(b"%d" % n) for n in range(size)]


def stored_tree(hashes: list[bytes]) -> Tree:
    """A tree read from leaves and stored nodes, as the sealer leaves them."""
    levels = [hashes]
    while len(levels[-1]) >= FAN_OUT:
        below = levels[-1]
        levels.append(
            [
                naive_root(below[n * FAN_OUT : (n + 1) * FAN_OUT])
                for n in range(len(below) // FAN_OUT)
            ]
        )
    return Tree(
        HASHING, len(hashes), lambda level, first, count: levels[level][first : first + count]
    )


def test_the_published_test_vectors_hold() -> None:
    inputs = ["", "00", "10", "2021", "3031", "40414243"]
    hashes = [HASHING.leaf(bytes.fromhex(text)) for text in inputs]
    assert naive_root([]).hex().startswith("e3b0c44298fc1c14")
    assert HASHING.empty() == naive_root([])
    assert hashes[0].hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert HASHING.root(hashes[:2]).hex() == (
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    )


@given(sizes)
def test_the_root_is_that_of_the_definition(size: int) -> None:
    hashes = leaves(size)
    assert HASHING.root(hashes) == naive_root(hashes)
    assert stored_tree(hashes).root() == naive_root(hashes)


def test_subtrees_of_several_levels_are_read_from_stored_nodes() -> None:
    hashes = leaves(FAN_OUT * FAN_OUT + 3 * FAN_OUT + 5)
    tree = stored_tree(hashes)
    assert tree.root() == HASHING.root(hashes)
    for index in (0, FAN_OUT * FAN_OUT - 1, FAN_OUT * FAN_OUT, len(hashes) - 1):
        path = tree.inclusion(index)
        assert verify_inclusion(
            HASHING, hashes[index], path, index=index, size=len(hashes), root=tree.root()
        )


@given(st.data())
def test_an_inclusion_proof_holds_for_its_leaf_place_and_tree_alone(data: st.DataObject) -> None:
    size = data.draw(sizes)
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size)
    tree = stored_tree(hashes)
    claim = {"index": index, "size": size, "root": tree.root()}
    path = tree.inclusion(index)
    assert verify_inclusion(HASHING, hashes[index], path, **claim)
    assert not verify_inclusion(HASHING, HASHING.leaf(b"forged"), path, **claim)
    other = data.draw(st.integers(-2, size + 2).filter(lambda n: n != index))
    assert not verify_inclusion(HASHING, hashes[index], path, **{**claim, "index": other})
    assert not verify_inclusion(HASHING, hashes[index], data.draw(forged(path)), **claim)
    assert not verify_inclusion(HASHING, hashes[index], path, **{**claim, "root": bytes(32)})
    assert not verify_inclusion(HASHING, hashes[index], path, **{**claim, "size": index})


@given(st.data())
def test_a_consistency_proof_holds_for_its_two_trees_alone(data: st.DataObject) -> None:
    new = data.draw(sizes)
    old = data.draw(st.integers(1, new))
    hashes = leaves(new)
    tree, before = stored_tree(hashes), stored_tree(hashes[:old])
    claim = {"old": old, "new": new, "old_root": before.root(), "new_root": tree.root()}
    path = tree.consistency(old)
    assert verify_consistency(HASHING, path, **claim)
    assert not verify_consistency(HASHING, path, **{**claim, "old_root": HASHING.leaf(b"x")})
    assert not verify_consistency(HASHING, path, **{**claim, "new_root": HASHING.leaf(b"x")})
    assert not verify_consistency(HASHING, data.draw(forged(path)), **claim)
    assert not verify_consistency(HASHING, path, **{**claim, "old": 0})
    assert not verify_consistency(HASHING, path, **{**claim, "old": new + 1})
    changed = [*hashes]
    changed[data.draw(st.integers(0, old - 1))] = HASHING.leaf(b"changed")
    fork = stored_tree(changed)
    forged_claim = {**claim, "new_root": fork.root()}
    assert not verify_consistency(HASHING, fork.consistency(old), **forged_claim)


def forged(path: list[bytes]) -> st.SearchStrategy[list[bytes]]:
    """Paths that differ from this one: longer, shorter, swapped, a bit flipped."""
    choices = [
        st.binary(min_size=32, max_size=32).map(lambda node: [*path, node]),
        st.binary(min_size=32, max_size=32).map(lambda node: [node, *path]),
    ]
    if path:
        choices += [st.just(path[1:]), st.just(path[:-1])]
        places = st.tuples(st.integers(0, len(path) - 1), st.integers(0, 255))
        choices.append(places.map(lambda place: flip(path, *place)))
    if len(path) > 1:
        choices.append(st.just([*path[1:], path[0]]))
    return st.one_of(choices).filter(lambda other: other != path)


def flip(path: list[bytes], place: int, bit: int) -> list[bytes]:
    changed = int.from_bytes(path[place], "big") ^ (1 << bit)
    return [*path[:place], changed.to_bytes(32, "big"), *path[place + 1 :]]


def test_sm3_is_another_tree() -> None:
    hashing = Hashing("sm3")
    assert hashing.root([hashing.leaf(b"a"), hashing.leaf(b"b")]) != HASHING.root(leaves(2))
    assert len(hashing.leaf(b"a")) == 32


scalars = st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=4) | st.binary(max_size=4)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4), max_leaves=8)


@given(values, values)
def test_different_contents_have_different_bytes(one: object, other: object) -> None:
    assert (encode(one) == encode(other)) == (one == other and type(one) is type(other))


def test_fields_that_read_alike_together_have_different_bytes() -> None:
    assert encode(["ab", "c"]) != encode(["a", "bc"])
    assert encode([None]) != encode([""])
    assert encode([""]) != encode([b""])
    assert encode([1]) != encode(["1"])
    assert encode([["a"], "b"]) != encode(["a", ["b"]])
    assert leaf_bytes([], "sha-256") != leaf_bytes([], "sm3")


@pytest.mark.parametrize("value", (1.5, True, {"a": 1}, 2**63))
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(Exception, match=r"canonical|argument|int too large|format"):
        encode(value)


def test_json_has_one_form() -> None:
    assert canonical_json('{"b": 1, "a": [true, null, "é\\n"]}') == '{"a":[true,null,"é\\n"],"b":1}'
    assert canonical_json("1.50") == "1.50"
    assert canonical_json("123456789012345678901234567890") == "123456789012345678901234567890"
    assert canonical_json('"1"') != canonical_json("1")
    assert canonical_json("{}") != canonical_json("[]")
