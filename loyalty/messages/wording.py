"""What is wrong with a template or an address, and this slice's refusals, in both languages."""

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
    "msg.service.no-promo": Words(
        "服务通知中含有营销内容“{words}”", "a service message advertises: “{words}”"
    ),
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
