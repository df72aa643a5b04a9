"""Why a coupon is refused, and the refusals of this slice, in Chinese and English."""

from collections.abc import Mapping

from loyalty.web import Bilingual, declare

REASONS: Mapping[str, Bilingual] = {
    "unknown-coupon": Bilingual("没有这张券", "there is no such coupon"),
    "repeated": Bilingual("同一张券出示了两次", "this coupon was shown twice"),
    "not-yet-valid": Bilingual("尚未到使用期", "it is not valid yet"),
    "expired": Bilingual("已过期", "it has expired"),
    "held": Bilingual("正被另一笔交易占用", "another till is holding it"),
    "redeemed": Bilingual("已经使用过", "it has been used"),
    "voided": Bilingual("已作废", "it was taken back"),
    "withdrawn": Bilingual("已被收回", "it was withdrawn"),
    "halted": Bilingual("该系列已暂停使用", "its series is halted"),
    "owner-gone": Bilingual("持券客户已注销", "the customer who held it is gone"),
    "other-customer": Bilingual("不是这位客户的券", "it belongs to another customer"),
    "other-partner": Bilingual("不能在此商户使用", "this partner does not take it"),
    "other-outlet": Bilingual("不能在此门店使用", "this outlet does not take it"),
    "other-weekday": Bilingual("今天不可使用", "it is not for this day of the week"),
    "other-hour": Bilingual("此时段不可使用", "it is not for this hour"),
    "below-minimum": Bilingual("未达到最低消费", "the basket is below the minimum"),
    "nothing-eligible": Bilingual("没有可用此券的商品", "nothing in the basket is eligible"),
    "not-stackable": Bilingual("不能与其他券同用", "it does not go with the other coupons"),
    "nothing-left-to-pay": Bilingual("已无需再付款", "nothing is left to pay for it"),
    "bad-token": Bilingual("令牌不是我们签发的", "the token is not one that we signed"),
    "token-over": Bilingual("核销时令牌已失效", "the token had lapsed when it was taken"),
    "reported-late": Bilingual("上报过迟", "it was reported too late"),
    "reference-reused": Bilingual("编号已用于别的内容", "the reference stands for something else"),
    "used-up-today": Bilingual("今日名额已用完", "today's uses are used up"),
}

STATES: Mapping[str, Bilingual] = {
    "issued": Bilingual("可用", "ready to use"),
    "not-yet-valid": Bilingual("未到使用期", "not valid yet"),
    "held": Bilingual("占用中", "held by a till"),
    "redeemed": Bilingual("已使用", "used"),
    "voided": Bilingual("已作废", "taken back"),
    "expired": Bilingual("已过期", "expired"),
    "withdrawn": Bilingual("已收回", "withdrawn"),
}

HAPPENED: Mapping[str, Bilingual] = {
    "held": Bilingual("柜台暂留", "kept by a till"),
    "released": Bilingual("不再暂留", "let go by the till"),
    "redeemed": Bilingual("核销", "used at a till"),
    "restored": Bilingual("核销已撤回,券已恢复", "the use was taken back; it is as before"),
    "voided": Bilingual("作废", "taken back"),
    "expired": Bilingual("过期", "expired"),
    "withdrawn": Bilingual("收回", "withdrawn"),
    "freed": Bilingual("有效期满,未用预算已退回", "its days are over; unused budget went back"),
}
"""What happened to a coupon, as its owner reads it."""

_NOTHING = ("没有写入任何内容。", "nothing was written.")


def _declare(
    code: str, status: int, title: tuple[str, str], why: tuple[str, str], remedy: tuple[str, str]
) -> None:
    explanation = (f"{why[0]};{_NOTHING[0]}", f"{why[1]}; {_NOTHING[1]}")
    declare(code, status, title=title, explanation=explanation, remedy=remedy)


_declare(
    "coupon-unknown",
    404,
    ("没有这张券", "No such coupon"),
    ("出示的码不是您可以受理的券", "A code is of no coupon that you could take"),
    ("请核对券码后重试。", "Compare the code and try again."),
)
_declare(
    "scan-first",
    422,
    ("请先出示券", "Scan a coupon first"),
    ("还没有扫描或输入券码", "No code was scanned or typed yet"),
    ("请扫描二维码或输入券码。", "Scan the code or type it."),
)
_declare(
    "coupon-refused",
    409,
    ("券不能使用", "The coupon cannot be used"),
    (
        "至少一张券此时此地不能使用,原因见 errors",
        "A coupon cannot be used here and now; see errors",
    ),
    ("请按 errors 向顾客说明,或去掉该券。", "Tell the customer what errors says, or leave it out."),
)
_declare(
    "coupon-used",
    409,
    ("券已使用或已结束", "The coupon was used or has ended"),
    ("只有未使用的券才能收回", "Only a coupon that nobody used can be taken back"),
    ("如已使用,请先撤销核销。", "Where it was used, reverse the redemption first."),
)
_declare(
    "coupon-halted",
    409,
    ("该系列已暂停", "The series is halted"),
    ("该系列已暂停发放和使用", "Nothing of this series is issued or used for now"),
    ("请稍后再试,或联系运营。", "Try later, or ask those who run the series."),
)
_declare(
    "coupon-over",
    409,
    ("该系列已结束", "The series is over"),
    ("现在发放的券已无有效期", "A coupon issued now would be over at once"),
    ("请选择其他系列。", "Choose another series."),
)
_declare(
    "customer-needed",
    409,
    ("需要指明客户", "A customer is needed"),
    ("该系列的券只发给客户", "Coupons of this series go to customers only"),
    ("请给出客户。", "Say which customer."),
)
_declare(
    "sold-out",
    409,
    ("已全部发完", "All are given out"),
    ("该系列的总量已发完", "As many as the series has were issued"),
    ("请选择其他系列。", "Choose another series."),
)
_declare(
    "sold-out-today",
    409,
    ("今日已发完", "Today's are given out"),
    ("该系列今天的数量已发完", "As many as the series gives in a day were issued"),
    ("请明天再来。", "Come back tomorrow."),
)
_declare(
    "limit-reached",
    409,
    ("已达到每人上限", "The limit per person is reached"),
    ("此人已领取该系列允许的数量", "This person has had as many as the series allows"),
    ("无需重复领取。", "Nothing more can be claimed."),
)
_declare(
    "budget-used-up",
    409,
    ("预算已用完", "The budget is used up"),
    ("该系列剩余的预算不足", "Too little of the series' budget is left"),
    ("请追加预算或选择其他系列。", "Raise the budget, or choose another series."),
)
_declare(
    "hold-gone",
    409,
    ("占用已失效", "The hold is gone"),
    ("该占用已释放、已核销或已失效", "The hold was released, redeemed or has lapsed"),
    ("请重新出示券码。", "Show the codes again."),
)
_declare(
    "too-late-to-void",
    409,
    ("已过当日", "Too late to void"),
    ("只能在核销当日作废", "A redemption can be voided on its own day only"),
    ("请改用撤销。", "Reverse it instead."),
)
_declare(
    "batch-unfinished",
    409,
    ("批次尚未完成", "The batch is not finished"),
    ("券还在制作中", "Its coupons are still being made"),
    ("请待完成后再取。", "Come back when it is done."),
)
_declare(
    "codes-given",
    409,
    ("券码已取过", "The codes were given"),
    ("券码文件只能取一次", "The file of codes can be fetched once"),
    ("如已遗失,请收回该批并重制。", "Where it is lost, withdraw the batch and make another."),
)
_declare(
    "codes-over",
    409,
    ("已过取码期限", "Too late to fetch the codes"),
    ("券码须在制作完成后 24 小时内取走", "Codes are to be fetched within 24 hours"),
    ("请重新制作一批。", "Make another batch."),
)
