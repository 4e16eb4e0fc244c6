"""What is wrong with single rows of a file of votes."""

from dataclasses import dataclass


class BadRowError(Exception):
    """A row that cannot be imported; its text says why.

    Attributes:
        kind: under which it is counted where such rows are left out.
    """

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(kind, why)
        self.kind, self.why = kind, why

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True)
class LeftOut:
    """A row that was left out: where it stands, and why."""

    where: str  # "line 7"
    kind: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"
