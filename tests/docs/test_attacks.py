"""What docs/attacks.md names as a probe is a test that exists, and no attack is left out."""

import ast
import re

import pytest

from loyalty.settings import CHECKOUT

PAGE = (CHECKOUT / "docs" / "attacks.md").read_text(encoding="utf-8")
ROWS = {found[1]: found[2] for found in re.finditer(r"^\| (A\d+) [^|]*\| (.*) \|$", PAGE, re.M)}
PROBES = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+)(…?))?`", PAGE)))


def names_in(path: str) -> list[str]:
    tree = ast.parse((CHECKOUT / path).read_text(encoding="utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("number", range(23, 64))
def test_every_attack_on_value_codes_and_partners_has_its_line(number: int) -> None:
    assert ROWS[f"A{number}"].strip()


@pytest.mark.parametrize(("path", "name", "more"), PROBES)
def test_every_probe_that_is_named_exists(path: str, name: str, more: str) -> None:
    found = [one for one in names_in(path) if one.startswith("test_")]
    assert found, path
    if name:
        assert [one for one in found if one == name or (more and one.startswith(name))]
