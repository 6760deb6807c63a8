"""``/help`` and ``/workflows``: what can be said."""

from bot.chat.documents import workflow_document
from bot.chat.model import Answer, Person, Reply
from bot.chat.typed import COMMANDS
from bot.service.desk import Desk
from orchestrator.api import Parameter, WorkflowCard


def help_for(desk: Desk, person: Person) -> Answer:
    """Every command with one example, then the options of a prompt."""
    spoken = [each for each in COMMANDS.values() if person.is_admin or not each.is_for_admins]
    commands = [f"{each.example} · {each.purpose}" for each in spoken]
    options = [_option(parameter) for card in desk.orchestrator.workflows()[:1] for parameter in _options(card)]
    general = [
        "--size 1024x768 · Width and height at once",
        "--workflow NAME · Another way to paint it",
        "--preset NAME · your own named options; what you type beside it wins",
        "{red, blue} · one request for each",
    ]
    return Reply(text="What you can say:", lines=(*commands, *options, *general))


def workflows(cards: tuple[WorkflowCard, ...]) -> Answer:
    return Reply(
        text="What can be painted:",
        lines=tuple(line for card in cards for line in _lines(card)),
        data={"workflows": [workflow_document(card) for card in cards]},
    )


def _lines(card: WorkflowCard) -> list[str]:
    start = " Starts from a picture: use Vary." if card.takes_image else ""
    lines = [f"{card.name}: {card.description}{start}"]
    lines += [f"LoRAs: {', '.join(card.loras)}"] if card.loras else []
    return lines + [_option(parameter) for parameter in _options(card)]


def _options(card: WorkflowCard) -> list[Parameter]:
    return [parameter for parameter in card.parameters if parameter.flag]


def _option(parameter: Parameter) -> str:
    facts = [parameter.title]
    if parameter.choices:
        facts.append(", ".join(parameter.choices))
    elif parameter.minimum is not None and parameter.maximum is not None and parameter.maximum < 10**6:
        facts.append(f"{parameter.minimum:g} to {parameter.maximum:g}")
    if parameter.default not in {None, ""}:
        facts.append(f"else {parameter.default}")
    return f"--{parameter.flag} · {', '.join(facts)}"
