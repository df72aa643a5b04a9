"""The refusals of this slice, in Chinese and English."""

from loyalty.web import declare

declare(
    "period-not-over",
    409,
    title=("结算期尚未结束", "The period is not over"),
    explanation=(
        "只能结算已经结束、且在上一期之后的期间。",
        "Only a period that is over, and that ends after the one before, can be closed.",
    ),
    remedy=("请选择较早的截止日,或等待期间结束。", "Choose an earlier day, or wait for its end."),
)
declare(
    "line-disputed",
    409,
    title=("此行已有争议", "The line was disputed before"),
    explanation=("每一行只能提出一次争议。", "Each line can be disputed once."),
    remedy=("请查看已有争议的结果。", "Look at what came of that dispute."),
)
declare(
    "dispute-decided",
    409,
    title=("争议已有结论", "The dispute was decided"),
    explanation=("该争议已经接受或驳回。", "The dispute was accepted or rejected before."),
    remedy=("请查看已有的结论。", "Look at its outcome."),
)
declare(
    "correction-too-large",
    409,
    title=("更正超出该行余额", "The correction is more than is left of the line"),
    explanation=(
        "更正后该行会低于零,或合作方账户中没有这么多;没有做任何更改。",
        "The line would fall below zero, or the partner is not owed as much; nothing was changed.",
    ),
    remedy=("请减小更正金额。", "Correct by less."),
)
declare(
    "nothing-due",
    409,
    title=("没有应付金额", "Nothing is due"),
    explanation=(
        "该结算单之后没有可支付的金额,或之后的冲正已使余额不足。",
        "Nothing is left to pay on this statement, or later reversals took up what it owes.",
    ),
    remedy=("请等待下一期结算单。", "Wait for the next statement."),
)
declare(
    "newer-statement",
    409,
    title=("已有更新的结算单", "There is a newer statement"),
    explanation=(
        "较新的结算单已包含此单的余额,只能支付最新的一份。",
        "A newer statement includes what this one owes; only the newest is paid.",
    ),
    remedy=("请支付最新的结算单。", "Pay the newest statement."),
)
declare(
    "statement-too-long",
    409,
    title=("结算单行数过多", "The statement has too many lines for a workbook"),
    explanation=(
        "工作簿最多容纳一百万行。",
        "A workbook holds a million lines.",
    ),
    remedy=("请改用 CSV 文件。", "Take the CSV file."),
)
