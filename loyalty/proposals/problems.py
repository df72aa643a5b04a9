"""The refusals of this slice, for people to read."""

from loyalty.web import declare

declare(
    "own-proposal",
    409,
    title=("不能审批自己的提案", "Nobody decides their own proposal"),
    explanation=(
        "提案由您提出,必须由另一位员工审批;此次尝试已记入审计。",
        "You made this proposal, so somebody else has to decide it; the attempt was recorded.",
    ),
    remedy=("请由另一位有权限的员工审批。", "Let another person who may do so decide."),
    is_denial=True,
)
declare(
    "proposal-decided",
    409,
    title=("提案已有结论", "The proposal has been decided"),
    explanation=(
        "提案已执行、被否决或已撤回,未作任何更改。",
        "It was applied, rejected or withdrawn before; nothing was changed.",
    ),
    remedy=("如仍需要,请重新提出。", "Make a new proposal where it is still wanted."),
)
declare(
    "proposal-expired",
    409,
    title=("提案已过期", "The proposal has expired"),
    explanation=(
        "提案须在提出后 72 小时内审批完毕。",
        "A proposal has to be decided within 72 hours of being made.",
    ),
    remedy=("请重新提出。", "Make it anew."),
)
declare(
    "proposal-differs",
    409,
    title=("摘要与提案不符", "The digest is not this proposal's"),
    explanation=(
        "您所审阅的内容与现存提案不一致,未作任何更改。",
        "What you have read is not what is proposed; nothing was changed.",
    ),
    remedy=("请重新读取提案后再决定。", "Read the proposal again, then decide."),
)
declare(
    "proposal-stale",
    409,
    title=("提案所依据的情况已变", "What the proposal was made in view of has changed"),
    explanation=(
        "提出之后,相关对象已被更改,因此不能再按原样执行。",
        "The subject was changed since, so it cannot be applied as it was meant.",
    ),
    remedy=("请按现状重新提出。", "Make a new proposal in view of how things stand now."),
)
declare(
    "seat-taken",
    409,
    title=("无需您再次同意", "Your agreement is not needed again"),
    explanation=(
        "您已同意过,或您的角色所对应的席位已由他人同意。",
        "You agreed already, or somebody else did in the seat that your roles fit.",
    ),
    remedy=("请等待其余席位的员工审批。", "Wait for the people of the other seats."),
)
