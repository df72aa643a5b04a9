"""Imports point downwards, slices keep their order and front doors, only edges open transactions.

Each rule is seen to fail on a small tree that breaks it, and to pass on one that does not.
"""

from pathlib import Path

import pytest

from tests.house.layers import RULES, Rule, read_tree, violations

ROOT = Path(__file__).resolve().parents[2]

SOUND = {
    "wsgi.py": "from flask import Flask\nfrom loyalty.coupons import api\nimport campaigns",
    "campaigns/__init__.py": "import loyalty\nfrom loyalty import coupons",
    "loyalty/__init__.py": "",
    "loyalty/database.py": "from sqlalchemy.orm import Session\nwith Session(e) as s: s.commit()",
    "loyalty/settings.py": "",
    "loyalty/commands.py": "import migrations\nfrom loyalty.coupons import commands",
    "loyalty/web/__init__.py": "from loyalty.web.fields import Text",
    "loyalty/web/fields.py": "from flask import request",
    "loyalty/vault/__init__.py": "from .sealing import seal",
    "loyalty/vault/sealing.py": "import ledger\nfrom ledger import post\nfrom ..settings import s",
    "loyalty/vault/models.py": "from ledger.base import Base",
    "loyalty/coupons/__init__.py": "from loyalty.coupons.issuance import issue",
    "loyalty/coupons/issuance.py": """
from loyalty import vault
from loyalty.vault import seal
from loyalty.vault.models import Key
from loyalty.web.fields import Text
from loyalty.database import after_commit
def issue(session): session.begin_nested()
""",
    "loyalty/coupons/api.py": "from flask import g\nfrom loyalty.database import transaction",
    "loyalty/coupons/jobs.py": "from loyalty.database import transaction",
    "loyalty/coupons/commands.py": "from loyalty.database import transaction",
    "loyalty/points/__init__.py": "",
    "ledger/__init__.py": "from ledger.posting import post",
    "ledger/base.py": "",
    "ledger/posting.py": "from ledger.base import Base",
    "migrations/__init__.py": "",
    "migrations/guards.py": "",
}

# By rule: a file that breaks it, and how often.
BROKEN = {
    "not_downwards": [
        ("ledger/posting.py", "import loyalty"),
        ("ledger/posting.py", "from loyalty.points import earn"),
        ("ledger/posting.py", "def f():\n    from campaigns import launch"),
        ("loyalty/points/earning.py", "from campaigns import launch"),
        ("campaigns/launching.py", "import wsgi"),
    ],
    "not_beside": [
        ("ledger/posting.py", "import migrations"),
        ("loyalty/points/earning.py", "from migrations import guards"),
        ("loyalty/points/earning.py", "from migrations.guards import projection"),
    ],
    "not_in_order": [
        ("loyalty/vault/sealing.py", "from loyalty import coupons"),
        ("loyalty/vault/sealing.py", "from .. import coupons"),
        ("loyalty/vault/sealing.py", "from ..coupons import issue"),
        ("loyalty/vault/sealing.py", "import loyalty.coupons"),
        ("loyalty/vault/models.py", "from loyalty.coupons.models import Coupon"),
        ("loyalty/database.py", "from loyalty import web"),
        ("loyalty/vault/sealing.py", "from loyalty import commands"),
        ("loyalty/vault/sealing.py", "from loyalty.commands import main"),
        ("loyalty/helpers/__init__.py", ""),
        (
            "loyalty/vault/sealing.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from loyalty import points",
        ),
    ],
    "not_by_the_front_door": [
        ("loyalty/coupons/issuance.py", "from loyalty.vault.sealing import seal"),
        ("loyalty/coupons/issuance.py", "from loyalty.vault import sealing"),
        ("loyalty/coupons/issuance.py", "import loyalty.vault.sealing"),
        ("loyalty/coupons/issuance.py", "from ledger.posting import post"),
        ("loyalty/coupons/issuance.py", "from ledger import posting"),
        ("campaigns/launching.py", "from loyalty.coupons.issuance import issue"),
    ],
    "not_without_flask": [
        ("loyalty/coupons/issuance.py", "from flask import request"),
        ("loyalty/coupons/models.py", "import flask"),
        ("loyalty/coupons/rules.py", "import werkzeug.exceptions"),
        ("loyalty/coupons/queries.py", "def f():\n    from flask import g"),
        ("loyalty/coupons/jobs.py", "from flask import current_app"),
        ("ledger/posting.py", "from flask import g"),
        ("campaigns/launching.py", "from flask import g"),
    ],
    "not_at_the_edge": [
        ("loyalty/coupons/issuance.py", "from loyalty.database import transaction"),
        ("loyalty/coupons/issuance.py", "from loyalty.database import engine as e"),
        ("loyalty/coupons/issuance.py", "from loyalty import database"),
        ("loyalty/coupons/issuance.py", "import loyalty.database"),
        ("loyalty/coupons/rules.py", "from ..database import transaction"),
        ("loyalty/coupons/queries.py", "from sqlalchemy.orm import Session\nSession(None)"),
        ("ledger/posting.py", "import sqlalchemy as s\ns.create_engine('')"),
        ("campaigns/launching.py", "from loyalty.database import transaction"),
    ],
    "not_left_to_the_edge": [
        ("loyalty/coupons/issuance.py", "def f(session): session.commit()"),
        ("loyalty/coupons/issuance.py", "def f(session): session.connection().rollback()"),
        ("loyalty/coupons/api.py", "def f(session): session.commit()"),
        ("loyalty/web/endpoints.py", "def f(session): session.commit()"),
        ("ledger/posting.py", "def f(session): session.commit()"),
    ],
}


def write_tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n", "utf-8")
    return root


def name_of(rule: Rule) -> str:
    return getattr(rule, "__name__", "")


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_the_house_keeps_its_rule(rule: Rule) -> None:
    assert violations(ROOT, rule) == [], rule.__doc__


def test_the_whole_house_is_read() -> None:
    names = {file.name for file in read_tree(ROOT)}
    assert {"wsgi.py", "ledger/posting.py", "loyalty/database.py"} <= names


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_a_sound_tree_breaks_no_rule(rule: Rule, tmp_path: Path) -> None:
    assert violations(write_tree(tmp_path, SOUND), rule) == []


@pytest.mark.parametrize(
    ("rule", "name", "content"),
    [
        pytest.param(rule, name, content, id=f"{name_of(rule)}-{number}")
        for rule in RULES
        for number, (name, content) in enumerate(BROKEN[name_of(rule)])
    ],
)
def test_a_broken_tree_is_found_out(rule: Rule, name: str, content: str, tmp_path: Path) -> None:
    root = write_tree(tmp_path, {**SOUND, name: content})
    (found,) = violations(root, rule)
    assert found.startswith(f"{name}:")
