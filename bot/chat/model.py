"""Words that every chat shares: who speaks, where a card is, what was asked for, and what is answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.chat.buttons import Button
from bot.chat.card import Card
from bot.chat.commands import Command
from bot.chat.handle import ReplyHandle
from orchestrator.api import JobId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """
    Whoever speaks.

    Attributes:
        surface: Where they speak: the name of the surface.
        name: What they are called there; empty where the user id says it.
        account: Their account there, once it is known whose it is; *user* is the person then.
    """

    user: UserId
    surface: str
    is_admin: bool
    name: str = ""
    account: UserId = UserId("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """
    One command by one person.

    Attributes:
        handle: Where the card is to be, for commands that start one.
        key: The same key starts the same jobs once, however often it is called.
        place: The guild, group or page that it was said in, whose rules count.
        is_overheard: Others read the answer, too.
        is_among_adults: It was said in private, or in a channel that the chat keeps from the young.
    """

    person: Person
    command: Command
    handle: ReplyHandle
    key: str
    place: str
    is_overheard: bool
    is_among_adults: bool = True


# What comes back.


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """
    Jobs were accepted.

    Attributes:
        note: What to say beside the cards, such as how many of many could be started; often empty.
    """

    cards: tuple[Card, ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """A question: *text* is what the person agrees to, *command* is what does it."""

    text: str
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """
    Words.

    Attributes:
        pictures: Charts, as PNG.
        data: The same for programs, ready for JSON.
        pictures: Charts, as PNG.
    """

    text: str
    lines: tuple[str, ...] = ()
    confirm: Confirm | None = None
    pictures: tuple[bytes, ...] = ()
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Nothing was done; the sentence says what to change."""

    sentence: str


Answer = Started | Reply | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """
    Something to tell a person beside the cards.

    Attributes:
        user: Their account on the surface that is to tell them; None means the admins.
        topic: Notes of one topic are the same news.
        leaving_out: Admins who are not to be told.
        buttons: What can be done about it, each with the job that it is pressed for.
        chat: Where they may be mentioned if they cannot be told alone; empty where that would be wrong.
    """

    user: UserId | None
    sentence: str
    topic: str = ""
    buttons: tuple[tuple[Button, JobId], ...] = ()
    chat: str = ""
    leaving_out: frozenset[UserId] = frozenset()
