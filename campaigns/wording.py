"""What campaigns say to people: findings, refusals, and the words of faults, in both languages."""

from collections.abc import Mapping

from loyalty.web import Bilingual, declare, validation

FINDINGS: Mapping[str, Bilingual] = {
    "missing": Bilingual("提交前必须填写", "must be filled in before the campaign is submitted"),
    "policy.missing": Bilingual("没有生效的策略包", "cannot be judged: no policy pack is in force"),
    "offer.type": Bilingual("与活动类型不符", "does not go with this type of campaign"),
    "offer.unknown": Bilingual("没有该优惠或尚未生效", "does not exist or is not in force"),
    "budget.unit": Bilingual(
        "预算单位与优惠不符:积分规则用积分,优惠券用金额",
        "counts in another unit than the offer: points for a rule, money for coupons",
    ),
    "budget.prizes": Bilingual("不足以支付全部奖品", "does not pay for all the prizes"),
    "product.unknown": Bilingual("没有该产品资料的这一版本", "is no version of a product's facts"),
    "product.newer": Bilingual("产品资料已有更新版本", "the product's facts have a newer version"),
    "msg.link.own-platform": Bilingual(
        "链接须指向本行自有平台", "must lead to a platform of our own"
    ),
    "purpose.unknown": Bilingual("没有该营销用途", "is no marketing purpose"),
    "content.missing": Bilingual(
        "缺少该渠道或语言的文案", "has no words for a channel or language"
    ),
    "placeholder": Bilingual(
        "占位符未声明或括号有误:{words}", "a placeholder is unknown or a brace is stray: {words}"
    ),
    "subject": Bilingual("此渠道的标题多余或缺失", "the subject is missing or out of place here"),
    "length": Bilingual("文字过长", "is too long"),
    "characters": Bilingual("含有不允许的字符", "has characters that are not allowed"),
    "schedule.quiet": Bilingual(
        "与全行免打扰时段合计已覆盖全天,无法发送",
        "leaves, with the house's own quiet hours, no hour in which to send",
    ),
    "schedule.over": Bilingual("活动时间已过", "is over by now"),
    "draw.time": Bilingual(
        "须在活动结束之后开奖,并早于兑奖截止",
        "must lie after the end and before the last collection",
    ),
    "promo.draw.max": Bilingual("最高奖金额超过五万元", "a prize is worth more than 50,000 yuan"),
    "promo.draw.disclose": Bilingual("抽奖信息未填写", "must be published before the draw begins"),
}

_FAULTS: Mapping[str, tuple[str, str]] = {
    "deposit": ("涉及存款", "is about deposits"),
    "markup": ("不得含有 HTML 标记", "must not hold markup"),
    "address": ("须为 https 网址", "must be an https address"),
    "too_long": ("超过一年", "is longer than a year"),
    "no_hours": ("结束时刻与开始时刻相同", "ends when it begins"),
    "one_offer": ("只能有一种优惠", "must be one offer"),
    "twice": ("重复", "stands there twice"),
    "reserved": ("该名称已保留", "is a reserved name"),
    "not_a_version": ("没有这一版本", "is no version of this campaign"),
    "unknown_product": ("没有该产品资料的这一版本", "is no version of a product's facts"),
}
for _code, (_zh, _en) in _FAULTS.items():
    validation.MESSAGES.setdefault(_code, (_code, _zh, _en))

declare(
    "campaign-exists",
    409,
    title=("活动代码已被使用", "The campaign's code is taken"),
    explanation=(
        "该计划中已有此代码的活动;没有写入。",
        "The programme has a campaign under this code; nothing was written.",
    ),
    remedy=("请换一个代码,或修改已有的活动。", "Choose another code, or edit that campaign."),
)
declare(
    "version-moved",
    409,
    title=("活动已有新版本", "The campaign has a newer version"),
    explanation=(
        "您所依据的版本已不是最新版本,没有写入。",
        "The version that you had in view is not the newest; nothing was written.",
    ),
    remedy=("请读取最新版本后再操作。", "Read the newest version, then try again."),
)
declare(
    "campaign-launched",
    409,
    title=("活动已经发布", "The campaign was launched"),
    explanation=(
        "已发布的活动不可更改;没有写入。",
        "A campaign that was launched does not change; nothing was written.",
    ),
    remedy=("如需停止,请使用紧急停止。", "To stop it, use the emergency stop."),
)
declare(
    "campaign-not-launched",
    409,
    title=("活动尚未发布", "The campaign was not launched"),
    explanation=(
        "该操作只适用于已发布的活动。",
        "This can be done once the campaign was launched.",
    ),
    remedy=("请先发布活动。", "Launch it first."),
)
declare(
    "campaign-blocked",
    422,
    title=("活动存在未解决的问题", "Something about the campaign blocks it"),
    explanation=(
        "活动违反了规则或有缺项;每一处都列在 errors 中。草稿已保存,但不能提交或发布。",
        "The campaign breaks rules or lacks parts; `errors` lists each. It stands as a draft, but"
        " can be neither submitted nor launched.",
    ),
    remedy=("请按 errors 中的指针逐项修正。", "Mend each place that `errors` points to."),
)
declare(
    "preview-needed",
    409,
    title=("需要最新的人群预览", "A fresh preview is needed"),
    explanation=(
        "预览不属于这一版本、尚未完成、已超过 24 小时,或规则包已变更。",
        "The preview is of another version or policy pack, is not finished, or is a day old.",
    ),
    remedy=("请重新生成预览。", "Make another preview."),
)
declare(
    "nobody-to-reach",
    409,
    title=("没有可发送的客户", "There is nobody to reach"),
    explanation=(
        "预览中没有任何可以发送的客户。",
        "The preview found nobody who may be written to.",
    ),
    remedy=("请调整人群或等待客户同意。", "Change the audience."),
)
declare(
    "approval-needed",
    409,
    title=("没有有效的审批", "There is no approval in force"),
    explanation=(
        "这一版本未获批准,或批准已失效:内容、预览或规则包变更后须重新审批,批准 30 天后失效。",
        "This version was not approved, or the approval is over: a change of content, preview or"
        " policy pack voids it, and it ends after thirty days.",
    ),
    remedy=("请重新提交审批。", "Submit it for approval again."),
)
declare(
    "campaign-stopped",
    409,
    title=("活动已停止", "The campaign is stopped"),
    explanation=("活动已被紧急停止。", "Somebody stopped this campaign."),
    remedy=("请提出重启提案,由另一人批准。", "Propose to restart it; another person decides."),
)
declare(
    "campaign-not-stopped",
    409,
    title=("活动没有停止", "The campaign is not stopped"),
    explanation=("只有已停止的活动可以重启。", "Only a stopped campaign can be restarted."),
    remedy=("无需操作。", "There is nothing to do."),
)
declare(
    "draw-not-due",
    409,
    title=("尚未到开奖时间", "The draw is not due"),
    explanation=(
        "公示的开奖时间未到,或已经开奖。",
        "The published time of the draw has not come, or the draw was held already.",
    ),
    remedy=("请在公示的时间开奖。", "Hold it at the published time."),
)
