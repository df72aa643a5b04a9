"""Invented people for the customers of the sample: the same ones on every machine."""

from loyalty.customers import NewCustomer

SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
    "苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史"
)
FIRST = "晓雨文思嘉子明志丽海春秋云天佳雅国建永安"
SECOND = "明华芳伟静敏强磊洋艳勇军杰娟涛超霞平刚桂玲辉鹏飞雪琳"
# No operator has handed out 199 0000 to 199 0002: telephones of these people do not ring.
FIRST_PHONE = 19_900_000_000


def invent(reference: str) -> NewCustomer:
    """Return the invented person for a customer of the sample, `00001` to `23570`."""
    number = int(reference)
    # Factors without a common divisor walk through the lists without repeating soon.
    name = (
        SURNAMES[number * 37 % len(SURNAMES)]
        + FIRST[number * 7 % len(FIRST)]
        + (SECOND[number * 11 % len(SECOND)] if number % 4 else "")
    )
    return NewCustomer(reference, name=name, phone=str(FIRST_PHONE + number), invented=True)
