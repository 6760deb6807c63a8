"""
Answers that are almost right: recorded ones with something changed, in their structure or in their bytes.

One seed decides everything, so each answer can be made again by its number.
"""

import json
import math
import random
import re
from collections.abc import Callable
from typing import Any, Final

HUGE = 10 * 2**20
"""Characters of the longest text; made rarely, for it takes as long as thousands of others."""

RARE = 4000
"""One answer in so many is huge, or nested deeper than any parser goes."""

ODD_TEXTS: Final = (
    "",
    " ",
    "\0",
    "\n\r\t",
    "a\nERROR forged: line",
    "\x1b[2J\x1b[31m",
    "\x9b31m",
    "\u202egnp.exe",
    "\u2028",
    "\ud800",
    "\U0001f408",
    "../../../../etc/passwd",
    "..\\..\\boot.ini",
    "/etc/passwd",
    "file:///etc/passwd",
    "http://169.254.169.254/latest/",
    "-oProxyCommand=x",
    "$(touch x)`touch x`",
    "<script>alert(1)</script>",
    "{0.__class__}%s%n",
    "NaN",
    "1e999",
    "-1",
    "null",
    "9" * 400,
    "x" * 3000,
    "a" * 70_000,
)
ODD_NUMBERS: Final = (
    *(0, -1, 1, 255, 256, 65535, 65536, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64, 10**30, 10**400, -(10**400)),
    *(0.5, -0.0, 1e-320, 1e15, 1e300, -1e300, math.nan, math.inf, -math.inf),
)
ODD_BYTES: Final = (
    *(b"\xff", b"\x00", b"\xed\xa0\x80", b"\xc0\xaf", b"\xef\xbb\xbf", b"\\ud800", b"\\u0000", b"\\x", b"\x1b[1m"),
    *(b"NaN", b"-Infinity", b"1e99999", b"-", b"00", b"9" * 5000, b"[" * 900, b'{"a":' * 900, b'"', b",", b"}", b"]"),
    *(b"null", b"true", b"\r\n\r\n", b"/*", b"'", b"0x1"),
)
_NAME = re.compile(rb'"(?:[^"\\]|\\.)*"\s*:')


class Mutator:
    """Changes values as *dice* say; never the value that it was given."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice

    def one_of(self, values: Any) -> Any:
        return self.dice.choice(values)

    def chance(self, one_in: int) -> bool:
        return self.dice.randrange(one_in) == 0

    # JSON as a value.

    def value(self, usual: Any) -> Any:
        """Give *usual* with a few changes; seldom with none."""
        changed = usual
        for _ in range(self.dice.choice((0, 1, 1, 1, 2, 2, 3, 5))):
            changed = self._changed(changed)
        return changed

    def anything(self, depth: int = 3) -> Any:
        """A value that resembles nothing."""
        kinds: tuple[Callable[[], Any], ...] = (
            lambda: self.dice.choice((None, True, False)),
            lambda: self.dice.choice(ODD_NUMBERS),
            self.text,
            lambda: [self.anything(depth - 1) for _ in range(self.dice.randrange(4))] if depth else [],
            lambda: {self.text(): self.anything(depth - 1) for _ in range(self.dice.randrange(4))} if depth else {},
        )
        return self.dice.choice(kinds)()

    def text(self) -> str:
        return "x" * HUGE if self.chance(RARE) else self.dice.choice(ODD_TEXTS)

    def _changed(self, value: Any) -> Any:
        if isinstance(value, dict) and value:
            return self._object(dict(value))
        if isinstance(value, list) and value:
            return self._list(list(value))
        return self._leaf(value)

    def _object(self, value: dict[str, Any]) -> Any:
        name = self.dice.choice(list(value))
        match self.dice.randrange(12):
            case 0:
                del value[name]
            case 1:
                value[self.text()] = self.anything()
            case 2:
                value[self.dice.choice((name.upper(), f"{name}_", f" {name}"))] = value.pop(name)
            case 3:
                value[name] = self.anything()
            case 4:
                value[name] = self.dice.choice((None, [value[name]], {name: value[name]}, str(value[name])))
            case 5:
                other = self.dice.choice(list(value))
                value[name], value[other] = value[other], value[name]
            case 6 if self.chance(3):
                return self.anything()
            case _:
                value[name] = self._changed(value[name])
        return value

    def _list(self, value: list[Any]) -> Any:
        place = self.dice.randrange(len(value))
        match self.dice.randrange(9):
            case 0:
                del value[place]
            case 1:
                value.insert(place, value[place])
            case 2:
                value.insert(place, self.anything())
            case 3:
                return value * self.dice.choice((2, 3, 40))
            case 4 if self.chance(2):
                return self.dice.choice((None, {}, {"0": value[place]}, value[place], self.anything()))
            case _:
                value[place] = self._changed(value[place])
        return value

    def _leaf(self, value: Any) -> Any:
        if self.chance(3):
            return self.anything(2)
        if isinstance(value, bool) or value is None:
            return self.dice.choice((None, True, False, 0, "true", []))
        if isinstance(value, int | float):
            if not abs(value) < 1e300:  # a NaN is not either
                return 0
            near = (value + 1, value - 1, -value, str(value), [value], True, value * 1.5)
            return self.dice.choice((*near, *ODD_NUMBERS))
        if isinstance(value, str):
            return self._word(value)
        return self.anything(2)

    def _word(self, value: str) -> str:
        cut = self.dice.randrange(len(value) + 1)
        odd = self.text()
        return self.dice.choice(
            (value[:cut], value[cut:], value[:cut] + odd + value[cut:], value * 3, odd, value.upper())
        )

    # JSON as bytes.

    def as_json(self, usual: Any) -> bytes:
        """Give *usual*, changed, as the bytes in which it arrives; some of them are no JSON any more."""
        if self.chance(RARE):
            return self.dice.choice((b"[" * 200_000, b'{"a":' * 200_000, b"9" * 100_000, b" " * HUGE))
        raw = json.dumps(self.value(usual), ensure_ascii=self.chance(2)).encode("utf-8", "surrogatepass")
        return raw if self.dice.random() < 0.7 else self.damaged(raw)

    def damaged(self, usual: bytes) -> bytes:
        """Give *usual* with a few of its bytes cut, doubled, replaced or made longer."""
        raw = usual
        for _ in range(self.dice.choice((1, 1, 1, 2, 4))):
            raw = self._damaged(raw)
        return raw

    def _damaged(self, raw: bytes) -> bytes:
        start = self.dice.randrange(len(raw) + 1)
        end = min(len(raw), start + self.dice.choice((1, 1, 2, 4, 16, 200)))
        odd = self.dice.choice(ODD_BYTES)
        ways: tuple[Callable[[], bytes], ...] = (
            lambda: raw[:start],
            lambda: raw[:start] + raw[end:],
            lambda: raw[:end] + raw[start:],
            lambda: raw[:start] + odd + raw[start:],
            lambda: raw[:start] + odd + raw[end:],
            lambda: raw[:start] + self.dice.randbytes(end - start) + raw[end:],
            lambda: self._named_twice(raw, start),
            lambda: self.dice.choice((raw + raw, b"\xef\xbb\xbf" + raw, raw.replace(b'"', b"'"), raw[start:])),
        )
        return self.dice.choice(ways)()

    def _named_twice(self, raw: bytes, start: int) -> bytes:
        name = _NAME.search(raw, start)
        return raw if name is None else raw[: name.start()] + name[0] + b"null," + raw[name.start() :]
