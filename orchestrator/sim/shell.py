"""What a login in memory can run: the few programs of our own commands, and of the rules that hold for every host."""

import shlex
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

NOT_FOUND = 127


@dataclass(frozen=True, slots=True)
class Said:
    text: str
    is_error: bool


class Shell:
    """
    One script: commands one after another, each perhaps a pipeline.

    Attributes:
        status: Of the last command so far.
    """

    def __init__(self, script: str, stdin: bytes, travel: Callable[[float], Awaitable[None]]) -> None:
        self.status = 0
        self._script = script
        self._stdin = stdin.decode()
        self._travel = travel

    async def run(self) -> AsyncIterator[Said]:
        """What it says, as it says it."""
        for command in self._script.split(";"):
            words = shlex.split(command)
            if words[0] == "exit":
                self.status = int(words[1])
                return
            is_error = words[-1] == ">&2"
            async for text in self._pipeline(command.removesuffix(">&2").split("|"), self._stdin):
                yield Said(text, is_error)
            if self.status == NOT_FOUND:
                yield Said(f"{words[0]}: not found\n", is_error=True)

    async def _pipeline(self, commands: list[str], stdin: str) -> AsyncIterator[str]:
        *before, last = commands
        if before:
            stdin = "".join([text async for text in self._pipeline(before, stdin)])
        async for text in self._program(shlex.split(last), stdin):
            yield text

    async def _program(self, words: list[str], stdin: str) -> AsyncIterator[str]:
        self.status = 0
        match words:
            case ["true"]:
                pass
            case ["cat"]:
                yield stdin
            case ["wc", "-c"]:
                yield f"{len(stdin)}\n"
            case ["sleep", seconds]:
                await self._travel(float(seconds))
            case ["echo", *said]:
                yield " ".join(said) + "\n"
            case ["head", "-c", count, "/dev/zero"]:
                yield "\0" * int(count)
            case ["tr", _, made]:
                yield made * len(stdin)
            case ["seq", last]:
                yield "".join(f"{number}\n" for number in range(1, int(last) + 1))
            case _:
                self.status = NOT_FOUND
