"""One judgement that somebody made elsewhere, whatever file it was read from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from evalplatform.imports.faults import BadRowError

PAIR, RANKING, RATING = "pair", "ranking", "rating"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Who judged which models' images of which prompt, and the answer.

    Attributes:
        prompt, key: the prompt's text, its key in a prompt set, or both.
        annotator: who judged, as the file says it.
        criterion: what was asked, as the file says it; "" where it does not.
        models: by position, as listed.
        images: by position, which image of each model it was; () where the file does not say.
        kind: `PAIR` (answers left, right, tie, both, neither), `RANKING` or `RATING`.
        answer: by position, as `campaigns.forms` writes it.
        judged_at: None where the file does not say.
    """

    prompt: str | None
    key: str | None
    annotator: str
    criterion: str
    models: tuple[str, ...]
    images: tuple[str, ...]
    kind: str
    answer: str
    judged_at: datetime | None = None
    is_simulated: bool = False


def answer_of_ranks(ranks: Sequence[int]) -> tuple[str, str]:
    """Return kind and answer of ranks by position, the best having the lowest.

    Equal ranks tie. The next rank counts on by one (1, 2, 2, 3) or passes over those that tie
    (1, 2, 2, 4). Raises `BadRowError` where there is a gap.
    """
    tiers = [[at for at, rank in enumerate(ranks) if rank == each] for each in sorted(set(ranks))]
    first = min(ranks)
    dense = [first + tier for tier in range(len(tiers))]
    before = [first + sum(len(tier) for tier in tiers[:at]) for at in range(len(tiers))]
    if first not in (0, 1) or sorted(set(ranks)) not in (dense, before):
        listed = ", ".join(str(rank) for rank in sorted(ranks))
        raise BadRowError(
            "gaps", f"the ranks {listed} have gaps; number them 1, 2, 3, … (ties equal)"
        )
    if len(ranks) == 2:
        return PAIR, "tie" if len(tiers) == 1 else "left" if ranks[0] < ranks[1] else "right"
    return RANKING, ">".join("=".join(str(at) for at in tier) for tier in tiers)


def refuse_itself(models: Sequence[str]) -> None:
    """Raise `BadRowError` where one model stands against itself."""
    twice = next((each for each in models if list(models).count(each) > 1), None)
    if twice is not None:
        raise BadRowError("itself", f"{twice!r} is compared with itself; a vote is between models")
