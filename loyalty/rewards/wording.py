"""The refusals of this slice in Chinese and English."""

from loyalty.web import declare

declare(
    "reward-closed",
    409,
    title=("不在兑换期内", "Not open for claims"),
    explanation=(
        "此礼品现在不能兑换;没有扣减积分。",
        "The reward cannot be claimed now; no points were spent.",
    ),
    remedy=("请在兑换期内再来。", "Come back while it is open."),
)
declare(
    "not-for-tier",
    409,
    title=("不适用于此等级", "Not for this tier"),
    explanation=(
        "此礼品没有为客户的等级定价;没有扣减积分。",
        "The reward has no price for the customer's tier; no points were spent.",
    ),
    remedy=("请查看适用的礼品。", "Look at the rewards that have one."),
)
declare(
    "claim-ended",
    409,
    title=("兑换已结束", "The claim has ended"),
    explanation=("已交付或已取消的兑换不再变动。", "A claim that ended does not change any more."),
    remedy=("请查看该兑换的结果。", "Look at how it ended."),
)
