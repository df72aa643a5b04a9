"""What the pages of campaigns say of types, states, channels and parts, in both languages."""

from collections.abc import Mapping

from loyalty.criteria import Operator
from loyalty.web import Bilingual

TYPE_WORDS: Mapping[str, Bilingual] = {
    "points_bonus": Bilingual("积分奖励", "Points bonus"),
    "coupon": Bilingual("发放优惠券", "Coupons"),
    "prize_draw": Bilingual("抽奖", "Prize draw"),
    "product_information": Bilingual("产品资讯", "Product information"),
    "service": Bilingual("服务通知", "Service notice"),
}
STATE_WORDS: Mapping[str, Bilingual] = {
    "draft": Bilingual("草稿", "draft"),
    "approved": Bilingual("已批准", "approved"),
    "running": Bilingual("进行中", "running"),
    "stopped": Bilingual("已停止", "stopped"),
    "ended": Bilingual("已结束", "ended"),
}
STATE_TONES: Mapping[str, str] = {
    "draft": "",
    "approved": "accent",
    "running": "good",
    "stopped": "bad",
    "ended": "",
}
CHANNEL_WORDS: Mapping[str, Bilingual] = {
    "in_app": Bilingual("站内消息", "In the app"),
    "email": Bilingual("邮件", "E-mail"),
    "sms": Bilingual("短信", "Text message"),
}
LANGUAGE_WORDS: Mapping[str, Bilingual] = {
    "zh": Bilingual("中文", "Chinese"),
    "en": Bilingual("英文", "English"),
}
OFFER_WORDS: Mapping[str, Bilingual] = {
    "": Bilingual("无优惠", "No offer"),
    "multiplier": Bilingual("消费积分翻倍", "More points on purchases"),
    "fixed": Bilingual("每笔消费固定积分", "So many points a purchase"),
    "coupon": Bilingual("一张优惠券", "A coupon"),
    "benefit": Bilingual("一项权益", "A benefit"),
}
OPERATOR_WORDS: Mapping[Operator, Bilingual] = {
    Operator.EQ: Bilingual("等于", "is"),
    Operator.NE: Bilingual("不等于", "is not"),
    Operator.GE: Bilingual("不小于(不早于)", "at least (not before)"),
    Operator.GT: Bilingual("大于(晚于)", "more than (after)"),
    Operator.LE: Bilingual("不大于(不晚于)", "at most (not after)"),
    Operator.LT: Bilingual("小于(早于)", "less than (before)"),
    Operator.IN: Bilingual("是其中之一", "is one of"),
    Operator.NOT_IN: Bilingual("不是其中任何一个", "is none of"),
    Operator.BETWEEN: Bilingual("介于两者之间", "is between"),
    Operator.IS_NULL: Bilingual("未知", "is unknown"),
}
DRAW_TEXTS: Mapping[str, Bilingual] = {
    "kinds": Bilingual("奖项种类", "Kinds of prizes"),
    "conditions": Bilingual("参与条件", "Who may take part"),
    "way": Bilingual("参与方式", "How to take part"),
    "draw_way": Bilingual("开奖方式", "How winners are drawn"),
    "odds": Bilingual("中奖概率", "Odds"),
    "redeem_way": Bilingual("兑奖方式", "How to collect"),
    "delivery": Bilingual("奖品交付", "Delivery"),
    "waiver": Bilingual("弃奖条件", "When a prize is forfeited"),
    "organiser": Bilingual("主办方", "Organiser"),
    "contact": Bilingual("联系方式", "Contact"),
}
OUTCOME_WORDS: Mapping[str, Bilingual] = {
    "sendable": Bilingual("可发送", "can be sent to"),
    "control": Bilingual("对照组", "control group"),
    "deferred": Bilingual("稍后发送", "later"),
    "excluded": Bilingual("不发送", "not written to"),
}
_PARTS: Mapping[str, Bilingual] = {
    "name": Bilingual("活动名称", "Name"),
    "purpose": Bilingual("用途", "Purpose"),
    "field": Bilingual("人群条件", "Audience"),
    "is": Bilingual("人群条件", "Audience"),
    "value": Bilingual("人群条件", "Audience"),
    "offer": Bilingual("优惠", "Offer"),
    "times": Bilingual("积分倍数", "Times"),
    "points": Bilingual("固定积分", "Points"),
    "series": Bilingual("券系列", "Coupon series"),
    "benefit": Bilingual("权益", "Benefit"),
    "quota": Bilingual("权益次数", "Uses"),
    "product": Bilingual("产品", "Product"),
    "channel": Bilingual("渠道", "Channels"),
    "starts": Bilingual("开始时间", "Begins"),
    "ends": Bilingual("结束时间", "Ends"),
    "quiet": Bilingual("免打扰时段", "Quiet hours"),
    "cap": Bilingual("频次上限", "Caps"),
    "budget": Bilingual("预算", "Budget"),
    "control": Bilingual("对照组", "Control group"),
    "draw": Bilingual("抽奖公示", "Notice of the draw"),
    "drawn": Bilingual("开奖时间", "Drawn at"),
    "redeem": Bilingual("兑奖截止", "Collect until"),
    "prize": Bilingual("奖品", "Prizes"),
    "code": Bilingual("活动代码", "Code"),
    "type": Bilingual("活动类型", "Type"),
}


def name_field(field: str) -> Bilingual:
    """Return what a field of the form is called where something is said about it."""
    for channel, said in CHANNEL_WORDS.items():
        if field.startswith(f"{channel}_"):
            language = LANGUAGE_WORDS[field.removeprefix(f"{channel}_")[:2]]
            return Bilingual(f"{said.zh}({language.zh})", f"{said.en}, {language.en}")
    return _PARTS.get(field.partition("_")[0], _PARTS["name"])
