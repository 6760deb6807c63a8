"""A studio for tests in which nobody looks at the pictures."""

from dataclasses import dataclass

from orchestrator.sandbox.studio import SECONDS, Studio


@dataclass(slots=True, kw_only=True)
class Sketchbook(Studio):
    """Paints so small that a hundred pictures take a second."""

    async def paint(
        self, prompt: str, *, width: int, height: int, seed: int, form: str = "PNG", seconds: float = SECONDS
    ) -> bytes:
        return await Studio.paint(
            self, prompt, width=width // 16, height=height // 16, seed=seed, form=form, seconds=seconds
        )
