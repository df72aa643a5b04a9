"""The registry of problems: one code, one status, one page in Chinese and English."""

from dataclasses import dataclass
from typing import NamedTuple


class Bilingual(NamedTuple):
    """The same words in Chinese and in English."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal that callers may meet: what it is, why it comes, what to do about it.

    `retry` says whether sending the same request again can succeed. `is_denial` has the attempt
    kept in the audit trail: somebody tried what is not theirs to do.
    """

    code: str
    status: int
    title: Bilingual
    explanation: Bilingual
    remedy: Bilingual
    retry: bool = False
    is_denial: bool = False


_REGISTRY: dict[str, Problem] = {}


def register(*problems: Problem) -> None:
    """Add `problems` to the registry; raises `ValueError` where a code is taken."""
    for problem in problems:
        if _REGISTRY.setdefault(problem.code, problem) != problem:
            raise ValueError(f"the problem code {problem.code} is taken")


def find_problem(code: str) -> Problem:
    """Return the problem with `code`; raises `KeyError` where nobody registered it."""
    return _REGISTRY[code]


def all_problems() -> list[Problem]:
    """Return every registered problem, by code."""
    return sorted(_REGISTRY.values(), key=lambda problem: problem.code)


def declare(
    code: str,
    status: int,
    *,
    title: tuple[str, str],
    explanation: tuple[str, str],
    remedy: tuple[str, str],
    retry: bool = False,
    is_denial: bool = False,
) -> None:
    """Register one problem; each text is a pair of Chinese and English."""
    texts = Bilingual(*title), Bilingual(*explanation), Bilingual(*remedy)
    register(Problem(code, status, *texts, retry=retry, is_denial=is_denial))


declare(
    "bad-request",
    400,
    title=("请求无法理解", "The request cannot be understood"),
    explanation=(
        "请求在协议层面有误,例如请求头或路径不合规范。",
        "The request is wrong as HTTP, for example a header or the path is malformed.",
    ),
    remedy=("请按接口文档检查请求后再发送。", "Compare the request with the API document."),
)
declare(
    "malformed-json",
    400,
    title=("请求体不是合格的 JSON", "The body is not acceptable JSON"),
    explanation=(
        "请求体必须是 UTF-8 编码的 JSON:不得有重复的键、NaN、Infinity、NUL 字符、"
        "残缺的代理字符或过长的数字,嵌套不得超过 32 层。",
        "The body must be JSON in UTF-8: no duplicate keys, NaN, Infinity, NUL characters, lone "
        "surrogates or overlong numbers, and no nesting deeper than 32 levels.",
    ),
    remedy=("请修正请求体后再发送。", "Mend the body and send it again."),
)
declare(
    "invalid-content",
    422,
    title=("请求内容未通过校验", "The content does not fit the schema"),
    explanation=(
        "请求体是 JSON,但其中一个或多个字段缺失、多余或取值不符;每一处都列在 errors 中。",
        "The body is JSON, but fields are missing, unknown or out of range; `errors` lists each.",
    ),
    remedy=("请按 errors 中的指针逐项修正。", "Mend each place that `errors` points to."),
)
declare(
    "invalid-query",
    422,
    title=("查询参数未通过校验", "The query parameters do not fit"),
    explanation=(
        "查询参数未知、重复出现或取值不符;每一处都列在 errors 中。",
        "A query parameter is unknown, repeated or out of range; `errors` lists each.",
    ),
    remedy=("请按 errors 修正查询参数。", "Mend each parameter that `errors` names."),
)
declare(
    "unauthenticated",
    401,
    title=("需要有效的访问令牌", "A valid access token is needed"),
    explanation=(
        "没有提供访问令牌,或令牌已过期、被停用或签名不符。",
        "No access token was shown, or it has expired, was disabled or is not signed by us.",
    ),
    remedy=(
        "请重新获取令牌,并放在 Authorization: Bearer 请求头中。",
        "Get a new token and send it in the header Authorization: Bearer.",
    ),
)
declare(
    "signature-invalid",
    401,
    title=("请求签名无效", "The signature is not valid"),
    explanation=(
        "请求的 HTTP 消息签名(RFC 9421)缺失覆盖项、已过时、与内容或地址不符,"
        "或不是由此客户端的密钥签署。",
        "The HTTP message signature (RFC 9421) does not cover what it must, is too old, does not "
        "fit the content or the address, or was not made with a key of this client.",
    ),
    remedy=(
        "请用已登记的密钥重新签名,覆盖 @method、@target-uri、content-digest 和 idempotency-key,"
        "并带上 created 与 nonce。",
        "Sign anew with a registered key over @method, @target-uri, content-digest and "
        "idempotency-key, with created and nonce.",
    ),
)
declare(
    "signature-required",
    401,
    title=("此客户端的请求必须签名", "This client must sign its calls"),
    explanation=(
        "该客户端的设置要求对柜台的占用、核销及其撤回请求签名(RFC 9421)。",
        "This client is set to sign holds, redemptions and what undoes them (RFC 9421).",
    ),
    remedy=("请对请求签名后再发送。", "Sign the request and send it again."),
)
declare(
    "signature-replayed",
    401,
    title=("此签名已被使用", "The signature was used before"),
    explanation=(
        "签名中的 nonce 已经用过,且此请求没有可以重复的回答;没有做任何更改。",
        "The nonce came before, and there is no earlier answer to repeat; nothing was changed.",
    ),
    remedy=(
        "请用新的 nonce 重新签名;幂等键可保持不变。",
        "Sign anew with another nonce; the idempotency key may stay.",
    ),
)
declare(
    "insufficient-scope",
    403,
    title=("令牌没有所需的权限范围", "The token lacks the scope"),
    explanation=(
        "令牌有效,但不含此接口所需的权限范围。",
        "The token is valid, but does not carry the scope that this route needs.",
    ),
    remedy=(
        "请用含有所需权限范围的令牌;文档写明了每个接口的要求。",
        "Use a token with the scope; the API document names it for each route.",
    ),
    is_denial=True,
)
declare(
    "forbidden",
    403,
    title=("此身份不能使用该功能", "This identity may not do this"),
    explanation=(
        "该功能面向另一类使用者,或要求一个您没有的角色。",
        "It is for another kind of user, or needs a role that you do not hold.",
    ),
    remedy=("请换用相应的身份,或申请角色。", "Come as the right party, or ask for the role."),
    is_denial=True,
)
declare(
    "not-found",
    404,
    title=("找不到", "Not found"),
    explanation=(
        "路径或其中的编号不存在,或不属于您;两者的回答相同。",
        "The path or an id in it does not exist or is not yours; both look the same.",
    ),
    remedy=("请核对路径和编号。", "Check the path and the ids in it."),
)
declare(
    "method-not-allowed",
    405,
    title=("该路径不支持此方法", "The path does not support this method"),
    explanation=(
        "路径存在,但不接受所用的 HTTP 方法;Allow 响应头列出可用的方法。",
        "The path exists, but not with this HTTP method; the header Allow lists those it has.",
    ),
    remedy=("请改用 Allow 中的方法。", "Use a method that Allow names."),
)
declare(
    "precondition-required",
    428,
    title=("缺少 If-Match", "If-Match is missing"),
    explanation=(
        "修改前必须说明您看到的是哪一版(If-Match),否则可能覆盖他人刚做的修改;没有做任何更改。",
        "An edit says which state it was made in view of (If-Match), or it could undo what "
        "somebody else has just done; nothing was changed.",
    ),
    remedy=(
        "请先读取该资源,把响应头 ETag 的值放进 If-Match 后再发送。",
        "Read the resource and send its ETag as If-Match.",
    ),
)
declare(
    "precondition-failed",
    412,
    title=("内容已被他人修改", "It was changed meanwhile"),
    explanation=(
        "If-Match 所说的版本已不是当前版本;没有做任何更改。",
        "What If-Match names is no longer what is here; nothing was changed.",
    ),
    remedy=(
        "请重新读取,核对别人的修改,再以新的 ETag 和新的幂等键发送。",
        "Read it again, look at the other change, and send yours with the new ETag under a new "
        "idempotency key.",
    ),
)
declare(
    "too-large",
    413,
    title=("请求体过大", "The body is too large"),
    explanation=(
        "请求体超过此接口的上限(一般为 1 MiB)。",
        "The body is larger than this route takes (1 MiB unless it says otherwise).",
    ),
    remedy=("请分成几次发送。", "Split it over several requests."),
)
declare(
    "unsupported-media-type",
    415,
    title=("请求体的类型不受支持", "The content type is not supported"),
    explanation=(
        "请求体必须以 Content-Type: application/json 发送,字符编码只能是 UTF-8。",
        "The body must come with Content-Type: application/json, in UTF-8 only.",
    ),
    remedy=("请设置正确的 Content-Type。", "Send the right Content-Type."),
)
declare(
    "idempotency-key-missing",
    400,
    title=("缺少 Idempotency-Key", "Idempotency-Key is missing"),
    explanation=(
        "此接口会改变数据,必须带 Idempotency-Key 请求头,重复发送才不会生效两次。",
        "This route changes something, so it needs the header Idempotency-Key: with it, sending "
        "twice takes effect once.",
    ),
    remedy=(
        "请为每个新的操作生成一个键(例如 UUID),重试时沿用同一个键。",
        "Make a key for each new act (a UUID will do) and keep it when you retry.",
    ),
)
declare(
    "idempotency-key-invalid",
    400,
    title=("Idempotency-Key 不合规范", "Idempotency-Key is malformed"),
    explanation=(
        "键必须是 1 到 255 个可见 ASCII 字符,可以加双引号。",
        "The key must be 1 to 255 visible ASCII characters, in double quotes or bare.",
    ),
    remedy=("请换一个合规的键。", "Use a key of that form."),
)
declare(
    "idempotency-key-reused",
    422,
    title=("同一个 Idempotency-Key 用于不同的请求", "Idempotency-Key was used for another request"),
    explanation=(
        "这个键已用于另一个请求(方法、路径或内容不同),因此没有执行任何操作。",
        "The key belongs to a request with another method, path or body; nothing was done.",
    ),
    remedy=(
        "重试请发送与原来完全相同的请求;新的操作请用新的键。",
        "To retry, send exactly the first request; for a new act, make a new key.",
    ),
)
declare(
    "invalid-cursor",
    422,
    title=("翻页游标无效", "The page cursor is not valid"),
    explanation=(
        "游标不是本服务为该列表签发的。",
        "The cursor was not issued by this service for this list.",
    ),
    remedy=(
        "请沿用响应头 Link 中的地址翻页,或从第一页开始。",
        "Follow the address in the header Link, or start from the first page.",
    ),
)
declare(
    "too-many-requests",
    429,
    title=("请求过于频繁", "Too many requests"),
    explanation=("请求超过了允许的速率。", "The requests came faster than allowed."),
    remedy=("请在 Retry-After 秒之后再试。", "Try again after Retry-After seconds."),
    retry=True,
)
declare(
    "internal",
    500,
    title=("服务内部错误", "Something went wrong on our side"),
    explanation=(
        "服务遇到未预料的错误;本次请求没有改变任何数据。",
        "The service met an error that it did not expect; this request changed nothing.",
    ),
    remedy=(
        "请用同一个 Idempotency-Key 重试;若仍失败,请提供 instance 中的请求编号。",
        "Retry with the same Idempotency-Key; if it fails again, give us the id in `instance`.",
    ),
    retry=True,
)
declare(
    "unavailable",
    503,
    title=("服务暂时不可用", "The service is briefly unavailable"),
    explanation=(
        "数据库暂时无法及时回答。操作要么完整生效,要么完全没有生效。",
        "The database cannot answer in time. The act took effect whole, or not at all.",
    ),
    remedy=(
        "请在 Retry-After 秒之后,用同一个 Idempotency-Key 发送同样的请求。",
        "Send the same request with the same Idempotency-Key after Retry-After seconds.",
    ),
    retry=True,
)
declare(
    "reference-reused",
    409,
    title=("编号已用于另一份内容", "The reference belongs to something else"),
    explanation=(
        "同一来源已用此编号记录过不同的内容;没有做任何更改。",
        "The same source has used this reference for other content; nothing was changed.",
    ),
    remedy=(
        "重发请保持内容一致;新的业务请用新的编号。",
        "Repeat the same content under a reference, and use a new one for something new.",
    ),
)
declare(
    "form-expired",
    403,
    title=("页面已过期", "The page has expired"),
    explanation=(
        "表单不是从本页发出的，或页面打开得太久；没有做任何更改。",
        "The form did not come from a page of ours, or the page was open too long; nothing was"
        " changed.",
    ),
    remedy=("请刷新页面后重新提交。", "Load the page again and send the form once more."),
)
declare(
    "insecure-connection",
    403,
    title=("连接不安全", "The connection is not secure"),
    explanation=(
        "此地址没有加密，密码会被他人看到，因此不能在这里登录。",
        "This address is not encrypted and others could read a password, so there is no sign-in.",
    ),
    remedy=(
        "请使用 https 地址；运维请把 QUANYI_ISSUER 设为该地址。",
        "Use the https address; operations set QUANYI_ISSUER to it.",
    ),
)
declare(
    "sign-in-failed",
    403,
    title=("未能登录", "You are not signed in"),
    explanation=(
        "账号、密码或验证码有误，或验证码已用过。",
        "The name, the password or the code is wrong, or the code was used before.",
    ),
    remedy=(
        "请核对后重试；验证码每 30 秒更换一次。",
        "Check them and try again; the code changes every 30 seconds.",
    ),
)
declare(
    "too-many-tries",
    429,
    title=("尝试次数过多", "Too many tries"),
    explanation=(
        "为了保护账号，十五分钟内最多尝试五次。",
        "To protect the account, there are five tries in fifteen minutes.",
    ),
    remedy=("请在十五分钟后再试。", "Try again in fifteen minutes."),
    retry=True,
)
declare(
    "confirmation-needed",
    403,
    title=("请再次确认身份", "Please confirm that it is you"),
    explanation=(
        "此操作需要新的动态验证码；尚未执行。",
        "This act asks for a fresh code; nothing was done yet.",
    ),
    remedy=("请输入验证器上的六位数字后提交。", "Enter the code of your authenticator and send."),
)
declare(
    "confirmation-failed",
    403,
    title=("动态验证码不正确", "The code is not right"),
    explanation=(
        "验证码有误、已用过，或尝试次数过多；操作没有执行。",
        "The code is wrong, was used before, or was tried too often; nothing was done.",
    ),
    remedy=("请等待下一个验证码后再试。", "Wait for the next code and try again."),
)
