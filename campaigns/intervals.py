"""How sure a share is, and the difference of two shares.

Wilson's score interval for a share (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927, 209–212), and
from two of them Newcombe's hybrid score interval for the difference, without continuity
correction (R. G. Newcombe, Stat. Med. 17, 1998, 873–890, method 10). Unlike the textbook interval
they hold for small groups and for shares near nothing or everything.
"""

import math
from dataclasses import dataclass

Z = 1.959963984540054
"""The quantile of the normal distribution that leaves 2.5 % on either side."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the bounds between which the truth lies in 95 of 100 cases."""

    estimate: float
    low: float
    high: float


def share(hits: int, of: int, z: float = Z) -> Interval | None:
    """Return Wilson's interval for `hits` among `of`; None where there is nobody."""
    if not 0 <= hits <= of:
        raise ValueError("hits are among those counted")
    if of == 0:
        return None
    p, square = hits / of, z * z
    middle = p + square / (2 * of)
    spread = z * math.sqrt(p * (1 - p) / of + square / (4 * of * of))
    scale = 1 + square / of
    low, high = (middle - spread) / scale, (middle + spread) / scale
    # At the ends the formula is exact; its rounding is not.
    return Interval(p, 0.0 if hits == 0 else max(0.0, low), 1.0 if hits == of else min(1.0, high))


def difference(hits: int, of: int, base_hits: int, base_of: int, z: float = Z) -> Interval | None:
    """Return Newcombe's interval for the first share less the second; None where either lacks."""
    one, base = share(hits, of, z), share(base_hits, base_of, z)
    if one is None or base is None:
        return None
    d = one.estimate - base.estimate
    down = math.hypot(one.estimate - one.low, base.high - base.estimate)
    up = math.hypot(one.high - one.estimate, base.estimate - base.low)
    return Interval(d, max(-1.0, d - down), min(1.0, d + up))
