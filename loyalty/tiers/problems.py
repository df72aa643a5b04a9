"""The refusals of this slice, for people to read."""

from loyalty.web import declare

declare(
    "invalid-ladder",
    422,
    title=("等级方案不成立", "The ladder does not hold together"),
    explanation=(
        "等级、门槛、评定周期或降级方式不符合要求;detail 说明了是哪一处。",
        "Tiers, thresholds, window or way down break a rule; `detail` says which.",
    ),
    remedy=("请修正后再提交。", "Mend it and send it again."),
)
declare(
    "ladder-exists",
    409,
    title=("等级方案刚刚有了新版本", "The ladder just got another version"),
    explanation=(
        "在此期间有人增加了一个版本,因此没有写入。",
        "Somebody added a version meanwhile, so nothing was written.",
    ),
    remedy=("请查看新版本后再提交。", "Look at the new version, then send yours again."),
)
