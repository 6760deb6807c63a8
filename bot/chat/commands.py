"""What can be asked for: surfaces build these from their own buttons and options, or read them from typed text."""

from dataclasses import dataclass

from bot.chat.buttons import Action
from bot.chat.places import Filtered, Showing
from orchestrator.api import InstanceId, JobId, QuietHours

MOST_PICTURES = 10
"""Of one job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imagine:
    """Attributes: text: The prompt as it was typed, options included."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """The same once more with a new seed. Attributes: job: None is the person's newest."""

    job: JobId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vary:
    """Image to image. Attributes: picture: Which one of the job's pictures, from 1."""

    job: JobId | None = None
    picture: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Attributes: job: None is the person's newest unfinished one."""

    job: JobId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """Somebody is about to ask for a picture: they type, or look at where one types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """
    A button below a card, which belongs to whoever asked for it, admins aside.

    EDIT is answered as :class:`Retype` is.

    Attributes:
        picture: Which one of the job's pictures VARY starts from, from 1.
    """

    job: JobId
    action: Action
    picture: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowSession:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    minutes: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    job: JobId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retype:
    """Answered with a :class:`Reply` whose ``data["text"]`` is the request as typed, to be changed and sent again."""

    job: JobId


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Presets:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class SavePreset:
    """Attributes: options: As they are typed after a prompt."""

    name: str
    options: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovePreset:
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Everything of the person who says it. Attributes: is_confirmed: They were asked and said yes."""

    is_confirmed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferLink:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Attributes: code: That the person's other account was given."""

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlink:
    """This account becomes a person by itself again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNotice:
    """Attributes: kind: As it is typed."""

    kind: str
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SetQuiet:
    """Attributes: hours: None for none."""

    hours: QuietHours | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMetadata:
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Loras:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class AddLora:
    """
    A LoRA by a link.

    Attributes:
        triggers: Words that make it work.
        is_shared: For everybody, which only admins may say.
    """

    name: str
    url: str
    strength: float = 1.0
    triggers: str = ""
    is_shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveLora:
    """Attributes: is_shared: Everybody's of that name, not one's own."""

    name: str
    is_shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """How the person's last request was decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflows:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    days: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Attributes: routing: Where pictures are made from now on for who says nothing; None asks."""

    routing: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class StopMachine:
    instance: InstanceId


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedWords:
    """Attributes: block: What to block here, if anything. allow: What to allow again, if anything."""

    block: str = ""
    allow: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowPictures:
    """Attributes: how: How pictures are shown in this place from now on; None asks how they are."""

    how: Showing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatFiltered:
    """Attributes: how: What becomes in this place of what an API keeps back; None asks what does."""

    how: Filtered | None = None


JobCommand = Imagine | Again | Vary | Cancel | Press | Expect
MachineCommand = ShowSession | Keep | Release
KeepsakeCommand = Presets | SavePreset | RemovePreset | AddLora | RemoveLora | Forget
ProfileCommand = OfferLink | Link | Unlink | Settings | SetNotice | SetQuiet | SetMetadata
ReadingCommand = Details | Retype | History | Workflows | Loras | Why | Me | Help


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowPerson:
    """
    Attributes:
        who: An account, its number, or what somebody is called, as it is typed.
        blocked: Whether they may ask for nothing from now on; None leaves it as it is.
    """

    who: str
    blocked: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowBudget:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBudget:
    """Attributes: cap: As it is typed. usd: None for no cap."""

    cap: str
    usd: float | None


AboutPeople = ShowPerson | ShowBudget | SetBudget
AdminCommand = (
    Status | Cost | Policy | Sessions | StopMachine | Drain | BlockedWords | ShowPictures | TreatFiltered | AboutPeople
)
Command = JobCommand | MachineCommand | KeepsakeCommand | ProfileCommand | ReadingCommand | AdminCommand
