"""The refusals of this slice, in Chinese and English."""

from loyalty.web import declare

declare(
    "partner-not-active",
    409,
    title=("合作方已暂停或终止", "The partner is suspended or has ended"),
    explanation=(
        "合作方当前不处于有效状态,不能核销;没有做任何更改。",
        "The partner is not active, so nothing can be redeemed; nothing was changed.",
    ),
    remedy=("请与我方的合作方经理联系。", "Speak to your partner manager."),
)
declare(
    "outlet-closed",
    409,
    title=("门店已关闭或不在营业时间", "The outlet is closed"),
    explanation=(
        "该门店已关闭,或当前不在其营业时间内;没有做任何更改。",
        "The outlet was closed, or it is outside its opening hours; nothing was changed.",
    ),
    remedy=(
        "请在营业时间内重试,或请合作方经理更正营业时间。",
        "Come back in its opening hours, or have them corrected.",
    ),
)
declare(
    "currency-not-settled",
    409,
    title=("与该合作方不以此货币结算", "The partner is not settled in this currency"),
    explanation=(
        "该合作方没有此货币的应付账户;没有做任何更改。",
        "There is no account of what we owe this partner in the currency; nothing was changed.",
    ),
    remedy=("请使用合作方的结算货币。", "Use the currency in which the partner is settled."),
)
declare(
    "state-not-allowed",
    409,
    title=("合作方的状态不允许此操作", "The partner's state does not allow this"),
    explanation=(
        "合作方只能从有效到暂停、从暂停恢复,或终止;终止后不再改变。",
        "A partner goes from active to suspended and back, or ends; after that nothing changes.",
    ),
    remedy=("请先查看合作方现在的状态。", "Look at the partner's present state first."),
)
declare(
    "login-taken",
    409,
    title=("登录名已被使用", "The login is taken"),
    explanation=(
        "已有合作方人员使用此登录名。",
        "Somebody at a partner's counter already signs in by this name.",
    ),
    remedy=("请换一个登录名。", "Choose another login."),
)
declare(
    "partner-code-taken",
    409,
    title=("代码已被使用", "The code is taken"),
    explanation=(
        "已有合作方,或该合作方已有门店,使用此代码。",
        "A partner, or an outlet of this partner, already goes by this code.",
    ),
    remedy=("请换一个代码,或使用已有的。", "Choose another code, or use the one that exists."),
)
