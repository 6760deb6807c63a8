"""HTML as Telegram reads it: what is left to read, or that it cannot be parsed."""

from html.parser import HTMLParser

TAGS = frozenset({"b", "strong", "i", "em", "u", "s", "code", "pre", "a", "blockquote", "tg-spoiler"})


class CannotParse(Exception):
    """The markup is not what Telegram takes."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.links: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            raise CannotParse(f"Unsupported start tag {tag!r}")
        self.links += [str(value) for name, value in attrs if name == "href"]
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            raise CannotParse(f"Unexpected end tag {tag!r}")

    def handle_data(self, data: str) -> None:
        self.text += data

    def close(self) -> None:
        super().close()
        if self._open:
            raise CannotParse(f"Can't find end tag of {self._open[-1]!r}")


def read_html(text: str) -> tuple[str, list[str]]:
    """
    What is left to read, and where links lead.

    Raises:
        CannotParse: As Telegram would say.
    """
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.text, reader.links
