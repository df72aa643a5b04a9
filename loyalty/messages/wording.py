"""What the rules of messages say to people, and the refusals of this slice, in both languages."""

from collections.abc import Mapping
from typing import NamedTuple

from loyalty.web import declare


class Words(NamedTuple):
    """A rule's words in Chinese and English; `{words}` is what it stumbled over."""

    zh: str
    en: str

    def with_words(self, words: str) -> tuple[str, str]:
        """Return both texts with the words in question in them."""
        return self.zh.replace("{words}", words), self.en.replace("{words}", words)


RULES: Mapping[str, Words] = {
    "gate.stopped": Words("发送已被叫停", "sending is stopped"),
    "request.expired": Words("发送请求已过期", "the request has expired"),
    "msg.composed": Words("信息无法按模板生成", "the message cannot be composed"),
    "msg.service.no-promo": Words(
        "服务通知中含有营销内容“{words}”", "a service message advertises: “{words}”"
    ),
    "erasure.stop-processing": Words("该客户的信息已停止处理", "the customer's data is restricted"),
    "suppress.active": Words("该客户已列入禁止联系名单", "the customer must not be contacted"),
    "suppress.deceased-or-legal": Words("该客户已故", "the customer has died"),
    "minor.under14": Words("未满十四周岁", "the customer is under fourteen"),
    "minor.no-automated-marketing": Words(
        "不得以自动化决策方式向未成年人营销", "no automated marketing to minors"
    ),
    "consent.bank-optout-mode": Words("客户已退订此渠道", "the customer refused this channel"),
    "notice.version-current": Words(
        "告知书已有重大变更,须重新取得同意", "the notice has changed; consent is needed anew"
    ),
    "consent.separate": Words("缺少单独同意", "a separate consent is missing"),
    "contact.verified": Words("联系方式未核验", "the address is not verified"),
    "suit.risk-match": Words(
        "产品风险等级高于客户的风险承受能力", "the product is riskier than the customer can bear"
    ),
    "suit.assessment-valid": Words("风险测评已过期", "the risk assessment is out of date"),
    "suit.age65": Words("须由客户经理专门说明", "a customer manager must explain this in person"),
    "suit.capacity": Words("客户行为能力受限", "the customer's capacity is limited"),
    "auto.off-switch": Words("客户已关闭个性化推荐", "the customer turned personalisation off"),
    "preference.topic": Words("客户不想收到此类主题", "the customer does not want this topic"),
    "situation.complaint-open": Words("客户有投诉正在处理", "a complaint of theirs is open"),
    "situation.distress": Words(
        "暂不向该客户推荐信贷产品", "no credit is offered to this customer for now"
    ),
    "consent.withdraw.immediate": Words(
        "客户已取消接收,排队中的信息已撤销", "the customer withdrew; what was queued is taken back"
    ),
    "consent.refused.hard": Words("客户已拒绝此类信息", "the customer refused such messages"),
    "consent.marketing.required": Words(
        "客户未同意接收此类信息", "the customer did not agree to such messages"
    ),
    "contact.known": Words("没有可用的联系方式", "there is no address to reach the customer at"),
    "release.approved": Words("营销信息未经批准发布", "nobody approved this marketing message"),
    "release.in-force": Words("批准尚未生效或已过期", "the approval is not in force"),
    "release.unchanged": Words("内容与批准时不一致", "the content is not what was approved"),
    "time.quiet-hours": Words("当前为免打扰时段", "these are quiet hours"),
    "freq.cap": Words("近期发送次数已达上限", "the customer has had enough messages lately"),
    "webhook-url": Words(
        "只接受公网上的 https 地址", "must be an https address on the public internet"
    ),
    "purpose": Words("用途不存在或与类别不符", "is no purpose of this class"),
    "placeholder": Words("占位符未声明或括号有误:{words}", "a placeholder is wrong: {words}"),
    "subject": Words("此渠道的标题多余或缺失", "the subject is missing or out of place here"),
    "length": Words("文字过长", "is too long"),
    "characters": Words("含有不允许的字符", "has characters that are not allowed"),
}

declare(
    "template-differs",
    409,
    title=("模板的类别或用途不可更改", "A template's class and purpose never change"),
    explanation=(
        "此模板已以其他类别或用途登记;没有写入。",
        "The template is registered with another class or purpose; nothing was written.",
    ),
    remedy=("请以新的代码登记另一个模板。", "Register another template under a new code."),
)
declare(
    "template-version-exists",
    409,
    title=("模板刚刚有了新版本", "The template just got another version"),
    explanation=(
        "在此期间有人增加了一个版本,因此没有写入。",
        "Somebody added a version meanwhile, so nothing was written.",
    ),
    remedy=("请查看新版本后再提交。", "Look at the new version, then send yours again."),
)
declare(
    "not-as-approved",
    409,
    title=("内容与批准时不一致", "This is not what was approved"),
    explanation=(
        "内容在批准之后被改动过,批准因此失效;没有发布。",
        "The content was changed after it was approved, which voids the approval.",
    ),
    remedy=("请将改动后的内容重新提交批准。", "Have the changed content approved anew."),
)
declare(
    "too-many-webhooks",
    409,
    title=("回调地址过多", "Too many webhooks"),
    explanation=(
        "此所有者已有最多数量的回调地址;没有新增。",
        "This owner has as many webhooks as may be; none was added.",
    ),
    remedy=("请先停用不再使用的地址。", "Disable one that is not used any more."),
)
