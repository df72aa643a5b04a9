"""Words are found however they are written, and not where they are denied or mean else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty import policy
from loyalty.policy.lexicons import Lexicon

PACK = policy.load_pack(policy.SHIPPED.read_text("utf-8"))
LISTS: dict[str, Lexicon] = {
    name: words for rule in PACK.rules for name, words in rule.parameters.get("words", {}).items()
}

MEANT = [
    ("SUPERLATIVE", "我行是最佳选择", "最佳"),
    ("SUPERLATIVE", "国家级服务", "国家级"),
    ("SUPERLATIVE", "最 佳 选择", "最 佳"),
    ("SUPERLATIVE", "最\u200b佳选择", "最\u200b佳"),
    ("SUPERLATIVE", "最*佳选择", "最*佳"),
    ("SUPERLATIVE", "全国第一的银行", "全国第一"),
    ("SUPERLATIVE", "ＮＯ．１ 品牌", "ＮＯ．１"),
    ("SUPERLATIVE", "The BEST bank", "BEST"),
    ("STATE_ENDORSE", "已获金融监管总局正式批准", "金融监管总局正式批准"),
    ("GUARANTEE", "本产品保本", "保本"),
    ("GUARANTEE", "保　本 理财", "保　本"),
    ("GUARANTEE", "不仅保本,还有分红", "保本"),
    ("GUARANTEE", "不可能不保本", "保本"),
    ("GUARANTEE", "产品不同,保本无忧", "保本"),
    ("GUARANTEE", "0风险", "0风险"),
    ("GUARANTEE", "０ 风险", "０ 风险"),
    ("GUARANTEE", "a risk-free product", "risk-free"),
    ("INDUCE", "低門槛低门槛", "低门槛"),
    ("INDUCE", "高收益产品", "高收益"),
    ("INDUCE", "秒\u2060到\u2060账", "秒\u2060到\u2060账"),
    ("CONFUSE", "和存款一样安全", "和存款一样"),
    ("FINAL_INTERPRET", "最终解释权归本行所有", "最终解释权"),
    ("FINAL_INTERPRET", "本行保留对活动的解释权", "保留对活动的解释权"),
    ("FINAL_INTERPRET", "最终解\n释权归我行", "最终解\n释权"),
    ("URGENCY", "仅剩最后3小时", "最后3小时"),
    ("PROMOTION", "点击领券立减", "领券"),
]
NEAR = [
    ("SUPERLATIVE", "最终以公告为准,第一时间通知您"),
    ("SUPERLATIVE", "最近一期账单,最后还款日"),
    ("SUPERLATIVE", "第一步:登录;第一次使用"),
    ("SUPERLATIVE", "客户唯一编号"),
    ("SUPERLATIVE", "bestow"),
    ("STATE_ENDORSE", "根据人民银行规定"),
    ("STATE_ENDORSE", "备案不代表监管认可本产品"),
    ("GUARANTEE", "本产品不保本"),
    ("GUARANTEE", "非保本浮动收益"),
    ("GUARANTEE", "不保证本金和收益"),
    ("GUARANTEE", "本行不承诺保本、保收益"),
    ("GUARANTEE", "没有零风险的投资"),
    ("GUARANTEE", "not guaranteed: no guaranteed return"),
    ("GUARANTEE", "未作无风险提示不得销售"),
    ("INDUCE", "本产品为中低风险"),
    ("INDUCE", "高收益往往伴随高风险"),
    ("CONFUSE", "本产品不等同于存款"),
    ("FINAL_INTERPRET", "最终结果以公告为准"),
    ("FINAL_INTERPRET", "如需解释请联系客服"),
    ("FINAL_INTERPRET", "本行不保留最终解释权"),
    ("URGENCY", "再不处理将影响使用"),
    ("PROMOTION", "您的积分将于12月31日到期"),
    ("PROMOTION", "谨防中奖诈骗"),
]


@pytest.mark.parametrize(("name", "text", "found"), MEANT)
def test_a_word_is_found_where_it_stands(name: str, text: str, found: str) -> None:
    hits = LISTS[name].find(text)
    assert found in [text[hit.start : hit.end] for hit in hits]


@pytest.mark.parametrize(("name", "text"), NEAR)
def test_what_is_denied_or_means_something_else_is_not_found(name: str, text: str) -> None:
    assert LISTS[name].find(text) == []


WORDS = st.sampled_from(
    [
        (name, word.replace("…", ""))
        for name, words in LISTS.items()
        for word in words.words
        if not any(character.isascii() for character in word)
    ]
)
NOISE = st.sampled_from(["", "\u200b", "\u200d", " ", "　", "*", "·", "\ufeff", "-", "\n"])


@given(WORDS, st.lists(NOISE, min_size=80, max_size=80))
def test_nothing_that_is_put_between_characters_hides_a_word(
    listed: tuple[str, str], noise: list[str]
) -> None:
    name, word = listed
    dressed = "".join(a + b for a, b in zip(word, noise, strict=False))
    hits = LISTS[name].find(f"。{dressed}。")
    assert any(hit.start <= len(dressed) for hit in hits)


@given(st.text(max_size=60))
def test_spans_lie_within_the_text_whatever_it_is(text: str) -> None:
    for words in LISTS.values():
        for hit in words.find(text):
            assert 0 <= hit.start < hit.end <= len(text)
