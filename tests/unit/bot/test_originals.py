"""Pictures as they leave us: with the prompt in the file for whoever wants that, and for nobody else."""

import io

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from bot.adapters.originals import originals_of, with_words
from bot.chat.card import draw
from orchestrator.api import JobId, Profile, UserId
from tests.component.bot.fake_orchestrator import FakeOrchestrator
from tests.unit.bot.samples import job, succeeded, telling


def png(**words: str) -> bytes:
    told, out = PngInfo(), io.BytesIO()
    for name, text in words.items():
        told.add_text(name, text)
    Image.new("RGB", (8, 8), "orange").save(out, "PNG", pnginfo=told)
    return out.getvalue()


def read(picture: bytes) -> dict[str, str]:
    with Image.open(io.BytesIO(picture)) as image:
        assert isinstance(image, PngImageFile)
        image.load()
        return {str(name): str(text) for name, text in image.text.items()}


@pytest.mark.parametrize("wants", [False, True])
async def test_a_file_carries_the_prompt_only_if_its_person_wants_it(wants: bool) -> None:
    orchestrator = FakeOrchestrator()
    user = UserId("discord:1")
    orchestrator.people.profiles[user] = Profile(wants_metadata=wants)
    card = draw(job(succeeded(), user=user, id=JobId("j"), values={"prompt": "a caf\u00e9", "steps": 4}), telling())
    orchestrator.images[card.images[0]] = png(prompt="what a server wrote")

    (picture, *_) = await originals_of(orchestrator, card)

    assert read(picture) == ({"parameters": f"a caf\u00e9\nsteps: 4, workflow: {card.workflow}"} if wants else {})


def test_what_is_no_png_stays_as_it_is() -> None:
    assert with_words(b"\xff\xd8\xff and so on", {"parameters": "x"}) == b"\xff\xd8\xff and so on"
