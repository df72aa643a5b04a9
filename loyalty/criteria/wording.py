"""The words for what is wrong with criteria."""

from loyalty.web import declare, validation

DEPTH = 8
NODES = 200
LIST = 1000

_FAULTS: dict[str, tuple[str, str]] = {
    "criterion": (
        "必须是对象,且只含 all、any、not 之一,或含 field 与 is",
        "must be an object with one of all, any and not, or with field and is",
    ),
    "list": ("必须是数组", "must be a list"),
    "depth": (f"嵌套超过 {DEPTH} 层", f"is nested deeper than {DEPTH} levels"),
    "nodes": (f"条件超过 {NODES} 个", f"makes more than {NODES} conditions"),
    "unknown_field": ("没有这个字段", "is not a field that criteria may ask about"),
    "not_for_marketing": ("该字段不得用于营销", "is a field that marketing may not use"),
    "credit_report": ("征信信息不得用于营销", "comes from credit reports: not for marketing"),
    "antifraud": (
        "反诈监测信息不得用于营销",
        "was collected to watch for fraud: not for marketing",
    ),
    "unknown_operator": ("没有这个运算符", "is not an operator"),
    "operator_of_type": (
        "此类字段不支持该运算符",
        "is not an operator that fields of this type have",
    ),
    "pair": ("必须是 [下限, 上限]", "must be [low, high]"),
    "order": ("下限不得大于上限", "has a lower bound above the upper one"),
}

for _code, _words in _FAULTS.items():
    validation.MESSAGES.setdefault(_code, (_code, *_words))

declare(
    "invalid-criteria",
    422,
    title=("条件不合规范", "The criteria are not acceptable"),
    explanation=(
        "条件不符合条件语言的规定,或用了不允许的字段;每一处都列在 errors 中。",
        "The criteria do not follow the language, or use a field that is not allowed; `errors`"
        " lists each place.",
    ),
    remedy=("请按 errors 中的指针逐项修正。", "Mend each place that `errors` points to."),
)
