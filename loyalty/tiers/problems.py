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
declare(
    "unknown-tier",
    422,
    title=("没有这个等级", "There is no such tier"),
    explanation=(
        "现行等级方案中没有这个等级,或它是无须授予的最低一级。",
        "The ladder in force has no such tier, or it is the lowest, which nobody needs to give.",
    ),
    remedy=("请查看计划现有的等级。", "Look at the programme's tiers."),
)
declare(
    "tier-below-earned",
    422,
    title=("所申请的等级低于客户已获得的等级", "The customer has earned a higher tier"),
    explanation=(
        "客户凭积分已达到更高的等级,此项授予不会产生任何效果。",
        "By status points the customer is higher already, so this would have no effect.",
    ),
    remedy=("请申请同级或更高的等级。", "Apply for that tier or a higher one."),
)
declare(
    "end-out-of-range",
    422,
    title=("截止日期超出允许的范围", "The last day is out of range"),
    explanation=(
        "授予的等级最早明天截止,最长两年;日期按计划所在时区计算。",
        "An assignment ends tomorrow at the earliest and in two years at the latest, by the days "
        "of the programme's zone.",
    ),
    remedy=("请另选截止日期。", "Choose another last day."),
)
declare(
    "own-application",
    409,
    title=("不能审批自己的申请", "Nobody decides their own application"),
    explanation=(
        "提交与审批必须由两个人完成,与所用的令牌或角色无关。",
        "Applying and deciding take two people, whatever tokens or roles they use.",
    ),
    remedy=("请由总行的另一位同事审批。", "Let somebody else at head office decide."),
    is_denial=True,
)
declare(
    "application-decided",
    409,
    title=("申请已有决定", "The application is decided"),
    explanation=("每份申请只能决定一次。", "An application is decided once."),
    remedy=("如需更改,请重新申请。", "To change it, apply again."),
)
declare(
    "application-expired",
    409,
    title=("申请已过期", "The application has expired"),
    explanation=(
        "申请须在提交后 72 小时内决定。",
        "An application has to be decided within 72 hours.",
    ),
    remedy=("请由分支行重新提交申请。", "Let the branch apply again."),
)
declare(
    "application-stale",
    409,
    title=("申请所依据的情况已变化", "What the application rests on has changed"),
    explanation=(
        "提交之后,客户的等级或等级方案发生了变化,或授予期已过;未作任何决定。",
        "Since it was made, the customer's tier or the ladder has moved, or its last day has "
        "passed; nothing was decided.",
    ),
    remedy=(
        "请驳回此申请,并按现况重新提交。",
        "Reject this one, and apply again on what holds now.",
    ),
)
declare(
    "digest-differs",
    409,
    title=("摘要与内容不符", "The digest is not that of the content"),
    explanation=(
        "所确认的摘要不是待决定内容的摘要;决定只对看到的内容有效。",
        "The digest that was confirmed is not that of what is to be decided: a decision holds for "
        "what was seen.",
    ),
    remedy=("请重新读取内容后再决定。", "Read it again, then decide."),
)
