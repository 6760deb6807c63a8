"""What is wrong with a fake of a managed API just now."""

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(slots=True)
class Struck:
    """
    The troubles of one fake.

    Attributes:
        left: How often each still strikes; None means until it is well again.
    """

    left: dict[StrEnum, int | None] = field(default_factory=dict)

    def strike(self, trouble: StrEnum, *, times: int | None = None) -> None:
        self.left[trouble] = times

    def recover(self) -> None:
        self.left.clear()

    def take(self, trouble: StrEnum) -> bool:
        """Say whether *trouble* strikes here and now, and count it."""
        if trouble not in self.left:
            return False
        times = self.left[trouble]
        if times is not None:
            self.left[trouble] = times - 1
            if times <= 1:
                del self.left[trouble]
        return True
