"""Why points came or went, as sentences in Chinese and English; and this slice's refusals."""

from collections.abc import Mapping
from typing import Any

from loyalty.web import declare

Words = tuple[str, str]

REASONS: Mapping[str, Words] = {
    "awarded": ("按规则给分", "awarded by the rule"),
    "capped": ("已达上限,按剩余额度给分", "cut to what the cap had left"),
    "budget-low": ("活动预算将尽,按余额给分", "cut to what the campaign's budget had left"),
    "budget-spent": ("活动预算已用完,不再给分", "nothing, the campaign's budget is spent"),
    "cap-reached": ("已达上限,不再给分", "nothing, the cap was reached"),
    "criteria": ("不符合规则的条件", "nothing, the rule's conditions did not hold"),
    "too-large": (
        "积分超出可记的最大数额,不给分",
        "nothing, more points than can be counted",
    ),
    "too-small": ("金额不足一个计分单位", "nothing, the amount is below one unit of the rule"),
    "promo.deposit-reward": (
        "存款类交易依监管规定不给分",
        "nothing, regulations forbid rewards for deposits",
    ),
}

DEPOSIT: Words = ("涉及存款", "is about deposits")

KINDS: Mapping[str, Words] = {
    "earn": ("获得积分", "points earned"),
    "redeem": ("使用积分", "points redeemed"),
    "capture": ("使用预留的积分", "held points redeemed"),
    "confirm": ("待确认积分转为可用", "waiting points became usable"),
    "reverse": ("冲正", "a reversal"),
    "expire": ("积分到期", "points lapsed"),
    "adjust": ("调整", "an adjustment"),
}


def explain_result(result: Mapping[str, Any]) -> Words:
    """Return what one rule did, as a sentence with its arithmetic."""
    name = f"{result['rule']} v{result['version']}"
    zh, en = REASONS[result["code"]]
    parts_zh, parts_en = [], []
    for step in result["steps"]:
        step_zh, step_en = _explain_step(step)
        parts_zh.append(step_zh)
        parts_en.append(step_en)
    detail_zh = f"({';'.join(parts_zh)})" if parts_zh else ""
    detail_en = f" ({'; '.join(parts_en)})" if parts_en else ""
    return (
        f"规则 {name}:{zh},{result['points']} 分{detail_zh}",
        f"Rule {name}: {en}, {result['points']} points{detail_en}",
    )


def _explain_step(step: Mapping[str, Any]) -> Words:
    gives = step["gives"]
    if "budget" in step:
        return f"预算余 {step['budget']}", f"{step['budget']} left of the budget"
    if "cap" in step:
        zh = {"purchase": "单笔", "day": "当日", "month": "当月", "year": "当年"}[step["cap"]]
        return (
            f"{zh}上限 {step['limit']},已用 {step['used']},余 {gives}",
            f"cap of {step['limit']} per {step['cap']}, {step['used']} used, {gives} left",
        )
    if "times" in step:
        numerator, denominator = step["times"]
        return (
            f"基础 {step['base']} 分按 {numerator}/{denominator} 倍,加 {gives} 分",
            f"{step['base']} base points times {numerator}/{denominator} add {gives}",
        )
    if "per" in step:
        amount, per = money(step["amount"]), money(step["per"])
        zh = "四舍五入" if step["rounding"] == "half_up" else "向下取整"
        en = "rounded half up" if step["rounding"] == "half_up" else "rounded down"
        return (
            f"{amount} ÷ {per} × {step['points']},{zh} = {gives}",
            f"{amount} / {per} x {step['points']}, {en} = {gives}",
        )
    return f"固定 {gives} 分", f"{gives} points flat"


def money(minor: int) -> str:
    """Return minor units as a decimal amount."""
    return f"{minor // 100}.{minor % 100:02}"


declare(
    "unknown-customer",
    404,
    title=("没有这位客户", "No such customer"),
    explanation=(
        "此编号没有登记为客户,或该客户的信息已删除;这笔消费没有入账。",
        "No active customer is registered under this reference; the purchase was not recorded.",
    ),
    remedy=("请先登记客户,再发送消费。", "Register the customer first, then send the purchase."),
)
declare(
    "unknown-purchase",
    404,
    title=("没有这笔消费", "No such purchase"),
    explanation=(
        "没有以此编号记录的消费;事件没有入账。",
        "No purchase is on record under this reference or id; the event was not recorded.",
    ),
    remedy=("请先上报消费,再上报事件。", "Report the purchase first, then the event."),
)
declare(
    "future-dated",
    422,
    title=("时间在未来", "The time lies in the future"),
    explanation=(
        "业务时间晚于现在;没有入账。",
        "The business time is later than now; nothing was recorded.",
    ),
    remedy=("请检查时间和时区偏移。", "Check the time and its offset."),
)
declare(
    "back-dated",
    422,
    title=("时间太早", "The time is too long ago"),
    explanation=(
        "接口只接受最近 400 天的消费;没有入账。",
        "The interface takes purchases of the last 400 days; nothing was recorded.",
    ),
    remedy=("更早的消费请用文件导入。", "Import older purchases from a file."),
)
declare(
    "lines-differ",
    422,
    title=("明细与总额不符", "The lines do not add up"),
    explanation=(
        "各行金额之和必须等于总金额;没有入账。",
        "The lines' amounts must add up to the whole amount; nothing was recorded.",
    ),
    remedy=("请核对各行金额。", "Check the amounts of the lines."),
)
declare(
    "unknown-line",
    422,
    title=("没有这一行", "No such line"),
    explanation=(
        "原消费没有所列的行;没有退款入账。",
        "The purchase has no such line; nothing was refunded.",
    ),
    remedy=("请使用原消费的行号。", "Use the line numbers of the purchase."),
)
declare(
    "over-refund",
    409,
    title=("退款超过原消费", "More than was paid"),
    explanation=(
        "各次退款之和不得超过原消费;没有退款入账。",
        "Refunds cannot add up to more than the purchase; nothing was refunded.",
    ),
    remedy=("请核对已退金额。", "Check what was refunded before."),
)
declare(
    "points-spent",
    409,
    title=("积分已用", "The points were spent"),
    explanation=(
        "应收回的积分已被使用,且本计划不允许积分为负;没有做任何更改。",
        "The points to take back were spent and the programme allows no debt; nothing was changed.",
    ),
    remedy=("请先补足积分,或人工处理。", "Let the customer earn again first, or decide by hand."),
)
declare(
    "insufficient",
    409,
    title=("积分不足", "Not enough points"),
    explanation=(
        "可用积分少于所需;没有做任何更改。",
        "Fewer points are available than asked; nothing was changed.",
    ),
    remedy=("请减少用量。", "Ask for fewer."),
)
declare(
    "overflow",
    409,
    title=("积分过多", "Too many points"),
    explanation=(
        "记入之后余额将超出账本可记的最大数;没有做任何更改,同一请求中的其他消费也没有记录。",
        "The balance would be greater than the ledger can count; nothing was changed, and "
        "neither was any other purchase of this request recorded.",
    ),
    remedy=("请核对金额,并联系计划的运营方。", "Check the amounts, and ask the programme's owner."),
)
declare(
    "hold-closed",
    409,
    title=("预留已结束", "The hold is over"),
    explanation=(
        "预留的积分已用完、释放或过期;没有做任何更改。",
        "Nothing of the hold is left: used, released or lapsed; nothing was changed.",
    ),
    remedy=("请重新预留。", "Hold the points anew."),
)
declare(
    "over-hold",
    409,
    title=("超过预留", "More than is held"),
    explanation=(
        "所需积分多于预留的余额;没有做任何更改。",
        "More was asked than is left of the hold; nothing was changed.",
    ),
    remedy=("请减少用量。", "Ask for less."),
)
declare(
    "over-reversal",
    409,
    title=("冲正超过原额", "More than is left to reverse"),
    explanation=(
        "各次冲正之和不得超过原额;没有做任何更改。",
        "Reversals cannot add up to more than the original; nothing was changed.",
    ),
    remedy=("请核对已冲正的数额。", "Check what was reversed before."),
)
declare(
    "lapsed",
    422,
    title=("期限已过", "The time is over"),
    explanation=(
        "预留必须在将来到期;没有做任何更改。",
        "A hold must lapse in the future; nothing was changed.",
    ),
    remedy=("请给出将来的时间。", "Give a time to come."),
)
declare(
    "same-person",
    409,
    title=("须由另一人批准", "A second person must decide"),
    explanation=(
        "提出的人不能自己批准;没有做任何更改。",
        "Who proposed cannot decide; nothing was changed.",
    ),
    remedy=("请另一位有权的同事批准。", "Ask a colleague who has the right to."),
    is_denial=True,
)
declare(
    "already-decided",
    409,
    title=("已有决定", "Already decided"),
    explanation=(
        "这一版本已有批准或否决,不能更改。",
        "This version was approved or rejected before, for good.",
    ),
    remedy=("请提出新的版本。", "Propose a new version."),
)
declare(
    "invalid-period",
    422,
    title=("期间不正确", "The period makes no sense"),
    explanation=(
        "止日必须不早于起日,且期间不超过 400 天。",
        "The last day must not come before the first, and a period has at most 400 days.",
    ),
    remedy=("请改用其他日期。", "Choose other days."),
)
declare(
    "version-taken",
    409,
    title=("此规则刚刚有了新版本", "The rule just got another version"),
    explanation=(
        "在此期间有人提出了一个版本,因此没有写入。",
        "Somebody proposed a version meanwhile, so nothing was written.",
    ),
    remedy=("请查看新版本后再提交。", "Look at the new version, then send yours again."),
)
