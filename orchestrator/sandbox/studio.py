"""Where the sandbox's managed APIs have their pictures painted: one painter, one till."""

import asyncio
import io
from dataclasses import dataclass, field

from PIL import Image

from orchestrator.sandbox.painter.brief import Brief
from orchestrator.sandbox.painter.paint import paint

SECONDS = 4.0
"""What a picture takes there: longer than on a warm machine, shorter than a cold start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """One thing that an API has charged for. Attributes: usd: Dollars."""

    api: str
    ref: str
    usd: float


@dataclass(slots=True, kw_only=True)
class Studio:
    """
    Paints for all managed APIs of one sandbox, and keeps their bill.

    Attributes:
        speed: Divides what a picture takes.
        sales: Everything charged, in order.
    """

    speed: float = 1.0
    sales: list[Sale] = field(default_factory=list)

    async def paint(
        self, prompt: str, *, width: int, height: int, seed: int, form: str = "PNG", seconds: float = SECONDS
    ) -> bytes:
        """
        Paint one picture, as a file of the given *form* (PNG, JPEG or WEBP).

        Args:
            seconds: How long it takes at speed 1.
        """
        await asyncio.sleep(seconds / self.speed)
        brief = Brief(prompt=prompt, negative="", seed=seed, width=width, height=height, styles=())
        return await asyncio.to_thread(_painted, brief, form)

    def charge(self, api: str, ref: str, usd: float) -> None:
        self.sales.append(Sale(api=api, ref=ref, usd=usd))

    def charged_usd(self, api: str) -> float:
        """What *api* has charged in all."""
        return sum(sale.usd for sale in self.sales if sale.api == api)


def _painted(brief: Brief, form: str) -> bytes:
    target = io.BytesIO()
    Image.fromarray(paint(brief)).save(target, form)
    return target.getvalue()
