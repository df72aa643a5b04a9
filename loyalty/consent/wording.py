"""The refusals of this slice, in Chinese and English."""

from collections.abc import Mapping

from loyalty.web import Bilingual, declare

CHANNEL_WORDS: Mapping[str, Bilingual] = {
    "SMS": Bilingual("短信", "text messages"),
    "CALL": Bilingual("电话", "telephone calls"),
    "EMAIL": Bilingual("邮件", "e-mail"),
    "APP_PUSH": Bilingual("应用推送", "push messages"),
    "IN_APP": Bilingual("应用内消息", "messages in the app"),
    "WECHAT": Bilingual("微信", "WeChat"),
    "POST": Bilingual("信函", "letters"),
    "BRANCH": Bilingual("网点面谈", "at a branch"),
    "NONE": Bilingual("不分渠道", "whatever the way"),
}
STATUS_WORDS: Mapping[str, Bilingual] = {
    "GRANTED": Bilingual("已同意", "agreed"),
    "PENDING": Bilingual("待确认", "to be confirmed"),
    "REFUSED": Bilingual("已拒绝", "refused"),
    "WITHDRAWN": Bilingual("已撤回", "taken back"),
    "EXPIRED": Bilingual("已到期", "expired"),
    "OPEN": Bilingual("未选择", "not chosen"),
    "": Bilingual("未选择", "not chosen"),
}
ACTIONS: Mapping[str, Bilingual] = {
    "GRANT": Bilingual("同意", "agreed"),
    "IMPORT": Bilingual("同意(由银行报送)", "agreed, as the bank reported"),
    "REFUSE": Bilingual("拒绝", "refused"),
    "WITHDRAW": Bilingual("撤回", "taken back"),
    "CONFIRM": Bilingual("确认", "confirmed"),
    "EXPIRE": Bilingual("到期", "expired"),
    "REOPEN": Bilingual("重新考虑", "opened again"),
}
FIELD_WORDS: Mapping[str, Bilingual] = {
    "controller": Bilingual("处理者", "Who uses the data"),
    "contact": Bilingual("联系方式", "How to reach them"),
    "purpose": Bilingual("处理目的", "What for"),
    "way": Bilingual("处理方式", "How"),
    "kinds": Bilingual("信息种类", "Which data"),
    "retention": Bilingual("保存期限", "For how long"),
    "rights": Bilingual("您的权利", "Your rights"),
    "withdrawal": Bilingual("如何撤回", "How to take it back"),
    "necessity": Bilingual("必要性", "Why it is necessary"),
    "effect": Bilingual("对您的影响", "What it means for you"),
}
"""How pages call channels, states, acts and what a notice says."""

declare(
    "unknown-purpose",
    422,
    title=("没有这个处理目的", "No such purpose"),
    explanation=("没有登记过这个处理目的;没有记录。", "No such purpose is open; nothing was kept."),
    remedy=("请使用已登记的目的。", "Name a purpose that is open."),
)
declare(
    "purpose-exists",
    409,
    title=("该处理目的已开立", "The purpose is open already"),
    explanation=(
        "处理目的一经开立不再更改;没有写入。",
        "Nothing of a purpose changes once it is open; nothing was written.",
    ),
    remedy=("请以新的代码提议另一个目的。", "Propose another purpose under a new code."),
)
declare(
    "no-head-office",
    409,
    title=("尚未登记总行", "There is no head office"),
    explanation=(
        "处理目的须有负责的机构;尚未登记总行,没有写入。",
        "A unit answers for each purpose, and no head office is registered; nothing was written.",
    ),
    remedy=("请先登记总行。", "Register the head office first."),
)
declare(
    "wrong-channel",
    422,
    title=("渠道与目的不符", "The channel does not fit the purpose"),
    explanation=(
        "该目的不按此渠道征求同意;没有记录。",
        "Consent to this purpose is not asked for by this channel; nothing was kept.",
    ),
    remedy=(
        "按渠道的目的请给出渠道,其他目的请用 NONE。",
        "Name a channel where the purpose goes by channel, and NONE elsewhere.",
    ),
)
declare(
    "not-yet-happened",
    422,
    title=("时间在将来", "The time is still to come"),
    explanation=("不能记录尚未发生的意愿。", "What has not happened cannot be kept."),
    remedy=("请检查时间及其时区。", "Check the time and its offset."),
)
declare(
    "proof-not-opaque",
    422,
    title=("凭证不能含个人信息", "A proof holds no personal data"),
    explanation=(
        "凭证只接受约定字段中的编号或摘要;没有记录。",
        "A proof takes references and digests in its own fields only; nothing was kept.",
    ),
    remedy=(
        "请给出录音、扫描件或消息的编号或摘要。",
        "Give the number or digest of the recording, scan or message.",
    ),
)
declare(
    "consent-unproved",
    422,
    title=("同意缺少凭证", "The consent is not proved"),
    explanation=(
        "缺少何人、何时、以何种方式取得同意的凭证,视为未同意;没有记录。",
        "Who agreed, when and how is not proved, so it counts as no consent; nothing was kept.",
    ),
    remedy=("请补齐凭证后再报送。", "Send it again with the whole proof."),
)
declare(
    "notice-not-in-force",
    422,
    title=("告知书不适用", "The notice does not apply"),
    explanation=(
        "同意时该目的没有这份生效的告知书;没有记录。",
        "No such notice of this purpose was in force at that time; nothing was kept.",
    ),
    remedy=("请给出当时生效的告知书。", "Name the notice that was in force then."),
)
declare(
    "notice-not-shown",
    422,
    title=("没有展示过告知书", "The notice was not shown"),
    explanation=(
        "没有向该客户展示这份告知书的记录;没有记录同意。",
        "Nothing says that this customer was shown this notice; the consent was not kept.",
    ),
    remedy=("请先记录展示。", "Record first that it was shown."),
)
declare(
    "separate-needed",
    422,
    title=("须单独同意", "Consent must be separate"),
    explanation=(
        "该目的须单独征求同意,不能与其他事项一并同意;没有记录。",
        "This purpose is agreed to by itself, not along with others; nothing was kept.",
    ),
    remedy=("请单独征求同意。", "Ask for it by itself."),
)
declare(
    "guardian-needed",
    422,
    title=("须监护人同意", "A guardian must agree"),
    explanation=(
        "未满十四周岁,须取得监护人同意;没有记录。",
        "The customer is under fourteen: a guardian must agree; nothing was kept.",
    ),
    remedy=("请由监护人同意。", "Let the guardian agree."),
)
declare(
    "ticked-before",
    422,
    title=("不得默认勾选", "Nothing may be ticked beforehand"),
    explanation=(
        "以默认勾选取得的同意不能作为依据;没有记录。",
        "What was ticked for the customer is no consent; nothing was kept.",
    ),
    remedy=("请让客户自己勾选。", "Leave the choice to the customer."),
)
declare(
    "asked-too-often",
    409,
    title=("不得频繁征求同意", "Asked too often"),
    explanation=(
        "客户已拒绝;180 天内不再询问,之后只询问一次。",
        "The customer refused: not to be asked for 180 days, and then once.",
    ),
    remedy=("客户可随时自行同意。", "The customer may agree at any time by themselves."),
)
declare(
    "notice-incomplete",
    422,
    title=("告知书不完整", "The notice is incomplete"),
    explanation=("告知书缺少必备内容;没有保存。", "The notice lacks what it must say; not saved."),
    remedy=("请补齐指出的内容。", "Add what is pointed to."),
)
declare(
    "not-a-contact",
    422,
    title=("不是有效的联系方式", "No such contact"),
    explanation=(
        "该值不是这一类联系方式;没有保存。",
        "The value is no contact of this kind; nothing was saved.",
    ),
    remedy=("请检查号码或地址。", "Check the number or address."),
)
declare(
    "not-a-fact",
    422,
    title=("不是有效的资格信息", "No such fact"),
    explanation=(
        "该类信息没有这个取值;没有保存。",
        "A fact of this kind has no such value; nothing was saved.",
    ),
    remedy=("请查看允许的取值。", "Look at the values that it may have."),
)
