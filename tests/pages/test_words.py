"""Every template says everything in both languages, and nothing beside them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

LOYALTY = Path(__file__).parents[2] / "loyalty"
CAMPAIGNS = LOYALTY.parent / "campaigns"
TEMPLATES = sorted(p for root in (LOYALTY, CAMPAIGNS) for p in root.rglob("templates/**/*.html"))
# Pages for developers of client systems, and what a link in a message opens, say each thing in both
# languages at once: nobody has chosen one there.
IN_BOTH = {"docs.html", "problem.html", "problems.html", "unsubscribe.html"}
HAN = re.compile(r"[\u4e00-\u9fff]")
NAMES = re.compile(r"\{(\w+)\}")
TAGS = re.compile(r"<(?:[^<>\"]|\"[^\"]*\")*>|&\w+;", re.DOTALL)
# The seal, the names of the two languages, and keys of the keyboard.
SAID_BESIDE = {"权", "English", "中文", "⌘K", "Ctrl K", "g", "Esc", "OpenAPI", "API", "·"}


def parsed(path: Path) -> nodes.Template:
    environment = Environment(trim_blocks=True, lstrip_blocks=True)
    return environment.parse(path.read_text(encoding="utf-8"))


def spoken(path: Path) -> Iterator[tuple[str, str, int]]:
    """Yield both languages and the line of every `t(...)` of a template."""
    for call in parsed(path).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "t":
            zh, en = call.args
            assert isinstance(zh, nodes.Const), (path, call.lineno)
            assert isinstance(en, nodes.Const), (path, call.lineno)
            given = {keyword.key for keyword in call.kwargs} - {"one"}
            names = set(NAMES.findall(zh.value)) | set(NAMES.findall(en.value))
            assert names <= given, (path, call.lineno, names, given)
            yield zh.value, en.value, call.lineno


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_both_languages_stand_side_by_side(path: Path) -> None:
    for zh, en, line in spoken(path):
        assert HAN.search(zh), (line, zh)
        assert not HAN.search(en), (line, en)
        assert en.strip(), line


@pytest.mark.parametrize(
    "path", [p for p in TEMPLATES if p.name not in IN_BOTH], ids=lambda path: path.name
)
def test_nothing_is_said_beside_them(path: Path) -> None:
    text = "".join(
        part.data if isinstance(part, nodes.TemplateData) else "\x00"
        for output in parsed(path).find_all(nodes.Output)
        for part in output.nodes
    )
    for attribute in re.findall(r'(?:aria-label|title|placeholder|alt)="([^"\x00]*)"', text):
        assert not attribute, attribute
    for said in re.split(r"[\x00\s]{2,}|\n", TAGS.sub(" \n ", text.replace("\x00", ""))):
        words = said.strip(" ·:：,，.。()（）+-−/")
        assert not re.search(r"[A-Za-z\u4e00-\u9fff]", words) or words in SAID_BESIDE, words


def test_chinese_is_printed_with_full_width_punctuation() -> None:
    from loyalty.web.words import punctuate  # noqa: PLC0415

    assert punctuate("按规则给分,90 分(向下取整);v1:完") == "按规则给分，90 分（向下取整）；v1：完"
    assert punctuate("共 1,234 分。") == "共 1,234 分。"
