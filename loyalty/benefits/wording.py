"""Why benefits are granted, and the refusals of this slice, in Chinese and English."""

from collections.abc import Mapping

from loyalty.web import Bilingual, declare

REASONS: Mapping[str, Bilingual] = {
    "goodwill": Bilingual("善意授予", "goodwill"),
    "complaint": Bilingual("投诉处理的补偿", "amends after a complaint"),
    "campaign": Bilingual("营销活动", "a campaign"),
    "correction": Bilingual("更正", "a correction"),
}

declare(
    "not-entitled",
    409,
    title=("没有此项权益", "Not entitled"),
    explanation=(
        "客户的等级不含此项权益,也没有另外授予;没有记录使用。",
        "Neither the customer's tier nor a grant allows this benefit; no use was recorded.",
    ),
    remedy=("请查看客户现有的权益。", "Look at the benefits that the customer has."),
)
declare(
    "quota-used-up",
    409,
    title=("本期次数已用完", "The quota is used up"),
    explanation=(
        "本期可用次数不足;没有记录使用。",
        "Too few uses are left in this period; no use was recorded.",
    ),
    remedy=("请等待下一期,或另行授予。", "Wait for the next period, or grant more."),
)
declare(
    "too-many-guests",
    409,
    title=("同行人数超出", "Too many guests"),
    explanation=(
        "同行人数超过此等级允许的人数;没有记录使用。",
        "More guests came along than the tier allows; no use was recorded.",
    ),
    remedy=("请减少同行人数。", "Bring fewer guests."),
)
declare(
    "already-reversed",
    409,
    title=("已经撤销", "Already undone"),
    explanation=("此次使用已撤销过一次。", "This use was undone before."),
    remedy=("无需再次撤销。", "Nothing more needs to be done."),
)
declare(
    "terms-exist",
    409,
    title=("权益条款刚刚有了新版本", "The terms just got another version"),
    explanation=(
        "在此期间有人增加了一个版本,因此没有写入。",
        "Somebody added a version meanwhile, so nothing was written.",
    ),
    remedy=("请查看新版本后再提交。", "Look at the new version, then send yours again."),
)
