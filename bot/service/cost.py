"""``/cost``: what was spent."""

from bot.chat.commands import Cost
from bot.chat.documents import cost_document, name_of
from bot.chat.model import Answer, Reply
from bot.chat.words import plural, price, usd
from bot.service.desk import Desk
from orchestrator.api import dollars

DAYS_SHOWN = 14


async def show(desk: Desk, command: Cost) -> Answer:
    report = await desk.orchestrator.costs(command.days)
    each = f", {usd(dollars(report.total) / report.images)} each" if report.images else ""
    by_day = [f"{row.key}: {price(row.amount)}" for row in report.by_day[-DAYS_SHOWN:]]
    by_cloud = [f"{row.key}: {price(row.amount)}" for row in report.by_cloud]
    by_user = [f"{name_of(row.key)}: {price(row.amount)}" for row in report.by_user]
    return Reply(
        text=f"{price(report.total)} in {plural(report.days, 'day')} for {plural(report.images, 'picture')}{each}.",
        lines=(*by_day, *by_cloud, *by_user),
        pictures=(await desk.chart(report),) if desk.chart is not None and report.total else (),
        data=cost_document(report),
    )
