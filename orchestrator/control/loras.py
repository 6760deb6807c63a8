"""LoRAs that people add themselves: ``orchestrator.api.LoraStore`` over the store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orchestrator.api import LoraStore
from orchestrator.domain.errors import RequestError
from orchestrator.domain.ids import UserId
from orchestrator.domain.loras import (
    EVERYBODY,
    LONGEST_TRIGGERS,
    MOST_LORAS,
    AddedLora,
    NewLora,
    check_name,
    direct_link,
)
from orchestrator.domain.workflows import check_strength
from orchestrator.ports.lora_files import LoraFiles
from orchestrator.ports.store import Books, Store
from orchestrator.ports.workflows import WorkflowCatalog

READ_AT_ONCE = 2
"""Files, over all people: each may be as large as 2 GiB."""


class Loras(LoraStore):
    def __init__(self, store: Store, catalog: WorkflowCatalog, files: LoraFiles) -> None:
        self._store = store
        self._catalog = catalog
        self._files = files
        self._room = asyncio.Semaphore(READ_AT_ONCE)
        self._adding: set[UserId] = set()

    async def of(self, user: UserId) -> tuple[AddedLora, ...]:
        async with self._store.reading() as books:
            own, shared = await books.loras.of(user), await books.loras.of(EVERYBODY)
        names = {lora.name for lora in own}
        return (*own, *(lora for lora in shared if lora.name not in names))

    async def add(self, user: UserId, new: NewLora, *, shared: bool = False) -> AddedLora:
        owner = EVERYBODY if shared else user
        link = self._checked(new)
        async with self._store.reading() as books:
            await _check_room(books, owner, new.name)
        async with self._turn(user):
            file = await self._files.read(link)
        lora = AddedLora(name=new.name, file=file, strength=new.strength, triggers=new.triggers, is_shared=shared)
        async with self._store.writing() as books:
            await _check_room(books, owner, new.name)
            await books.loras.add(owner, lora)
        return lora

    async def remove(self, user: UserId, name: str, *, shared: bool = False) -> bool:
        async with self._store.writing() as books:
            return await books.loras.remove(EVERYBODY if shared else user, name)

    def _checked(self, new: NewLora) -> str:
        """
        Look at all that can be told before anything is fetched; the direct link.

        Raises:
            RequestError: Says what is wrong.
        """
        check_name(new.name)
        taking = [workflow for workflow in self._catalog.all() if workflow.takes_lora]
        if not taking:
            raise RequestError("no_lora_workflow")
        if any(new.name == name.lower() for workflow in taking for name in workflow.loras):
            raise RequestError("lora_of_workflow", name=new.name)
        check_strength(taking[0], new.strength)
        if len(new.triggers) > LONGEST_TRIGGERS:
            raise RequestError("long_triggers", length=len(new.triggers), allowed=LONGEST_TRIGGERS)
        return direct_link(new.url)

    @asynccontextmanager
    async def _turn(self, user: UserId) -> AsyncIterator[None]:
        """One file of one person at a time, and few of all people."""
        if user in self._adding or self._room.locked():
            raise RequestError("lora_busy")
        self._adding.add(user)
        try:
            async with self._room:
                yield
        finally:
            self._adding.discard(user)


async def _check_room(books: Books, owner: UserId, name: str) -> None:
    """
    Look whether *owner* may have another one of that name.

    Raises:
        RequestError: They have it already, or too many.
    """
    known = {lora.name for lora in await books.loras.of(owner)}
    shared = {lora.name for lora in await books.loras.of(EVERYBODY)}
    if name in known | shared:
        raise RequestError("lora_exists", name=name)
    if len(known) >= MOST_LORAS:
        raise RequestError("too_many_loras", limit=MOST_LORAS)
