"""What became of a case, and the order in which one is worse than another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """What became of a case. The first two are as promised."""

    EXACT = "exact"
    REFUSED = "refused clearly"
    UNCLEAR = "refused unclearly"
    NEEDLESS = "refused needlessly"
    WRONG = "wrong"
    CRASHED = "crashed"
    HUNG = "hung"

    @property
    def is_promised(self) -> bool:
        """Whether the outcome is one that the project promises."""
        return self in (Outcome.EXACT, Outcome.REFUSED)


MEANINGS = {
    Outcome.EXACT: "the warehouse holds exactly what the file says, or exactly what it held before",
    Outcome.REFUSED: "one sentence that names the file and the place, or the cause where it is about the whole file",
    Outcome.UNCLEAR: "a sentence without file or place, a place that is sound, or an exception of a library",
    Outcome.NEEDLESS: "a file that is sound by the documented rules was refused, or a load without a fault failed",
    Outcome.WRONG: "other values, rows lost or doubled, a mixture of two months, or something left behind",
    Outcome.CRASHED: "the process died by itself",
    Outcome.HUNG: "no answer within the time limit",
}


@dataclass(frozen=True)
class Case:
    """One thing that goes wrong, which its family, number and seed describe completely.

    Attributes:
        family: The family's name.
        number: Its number within the family.
        kind: What goes wrong, in a few words; figures are counted by it.
        where: The warehouse or origin that it happens to.
    """

    family: str
    number: int
    kind: str
    where: str

    @property
    def name(self) -> str:
        """What it is called in listings, and how ``--case`` names it."""
        return f"{self.family}/{self.number}"


@dataclass(frozen=True)
class Result:
    """What became of a case.

    Attributes:
        case: The case.
        outcome: The outcome.
        note: What the judgement rests on, in one line.
        seconds: How long the case took.
    """

    case: Case
    outcome: Outcome
    note: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Skipped:
    """Faults that this machine can't make.

    Attributes:
        family: The family's name.
        kind: What would go wrong.
        reason: Why it can't be made here.
    """

    family: str
    kind: str
    reason: str


def worst(judgements: Sequence[tuple[Outcome, str]]) -> tuple[Outcome, str]:
    """The worst of several judgements about one case, with its note."""
    order = list(Outcome)
    return max(judgements, key=lambda judgement: order.index(judgement[0]))
