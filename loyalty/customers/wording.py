"""The words for what is wrong with a registration, and for the refusals of this slice."""

from loyalty.web import declare

FAULTS: dict[str, tuple[str, str]] = {
    "reference": (
        "只能用 1 到 64 个字母、数字、点、横线、下划线或冒号,并以字母或数字开头",
        "takes 1 to 64 letters, digits, dots, hyphens, underscores or colons, a letter or digit"
        " first",
    ),
    "length": ("长度不符", "is too short or too long"),
    "characters": ("含有不允许的字符", "has characters that are not allowed"),
    "phone": ("不是有效的电话号码", "is not a telephone number in use"),
    "email": ("不是有效的电子邮箱", "is not an e-mail address"),
    "range": ("超出允许的范围", "is out of range"),
    "card_number": (
        "含有像银行卡号的数字(13 至 19 位且通过校验);请改用不含卡号的编号",
        "holds what looks like a card number (13 to 19 digits that pass its check); use another",
    ),
    "identity_number": (
        "含有居民身份证号码;请改用不透露身份的编号",
        "holds a resident identity number; use a number that tells nothing about the person",
    ),
    "own_phone": (
        "含有此客户自己的电话号码;请改用不透露身份的编号",
        "holds the customer's own telephone number; use one that tells nothing about the person",
    ),
    "unknown": ("没有这样的分支机构", "is no unit of this organisation"),
}

declare(
    "reference-taken",
    409,
    title=("编号已登记为另一份内容", "The reference is taken"),
    explanation=(
        "此编号已经登记,但内容与这次不同;没有做任何更改。",
        "A customer is registered under this reference with other content; nothing was changed.",
    ),
    remedy=(
        "请核对编号;同一位客户请按原来的内容重发。",
        "Check the reference; for the same customer, send what was sent before.",
    ),
)
declare(
    "too-many-look-ups",
    429,
    title=("本小时查询次数已用完", "Too many look-ups in this hour"),
    explanation=(
        "每位员工每小时查询客户的次数有上限;此次尝试已记入审计,没有返回任何客户信息。",
        "A member of staff looks up so many customers an hour and no more; the attempt was"
        " recorded, and nothing about any customer was answered.",
    ),
    remedy=(
        "请在 Retry-After 秒之后再查;如工作确需更多,请联系主管。",
        "Go on after Retry-After seconds; where the work needs more, talk to your supervisor.",
    ),
    retry=True,
    is_denial=True,
)
declare(
    "customer-erased",
    409,
    title=("该客户的个人信息已删除", "The customer has been erased"),
    explanation=(
        "该客户的密钥已销毁,个人信息无法再读取;同一编号也不能再次登记。",
        "The customer's key was destroyed: nothing personal can be read any more, and the same"
        " reference cannot be registered again.",
    ),
    remedy=(
        "若此人重新成为客户,请用新的编号登记。",
        "Where the person becomes a customer again, register them under a new reference.",
    ),
)
declare(
    "hand-over-refused",
    403,
    title=("链接无法使用", "The link cannot be used"),
    explanation=(
        "链接五分钟内有效，只能使用一次，并且必须由您的银行签发；您没有登录。",
        "The link lives for five minutes, opens once, and must be signed by your bank; you are not"
        " signed in.",
    ),
    remedy=("请回到银行的应用，重新进入。", "Go back to your bank's app and come in again."),
)
