"""Whether an image is kept: a pure function over the judgements on it. No Django.

Dai et al. 2023 (Emu), section 3.2: generalists are tuned for recall, specialists for precision.
The paper says neither how many people judge an image nor how they are combined: these are ours.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ANY, ALL = "any", "all"


@dataclass(frozen=True)
class StageJudgement:
    """What one person said of an image: keep, unsure or reject, and the heads marked as failed."""

    answer: str
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class StageDecision:
    """Whether an image is kept, and why, in words of at most 200 letters."""

    kept: bool
    why: str


def decide(judgements: Sequence[StageJudgement], *, keep: str, k: int) -> StageDecision:
    """Return what a stage decides of one image from its standing judgements, at most k of them.

    `any`: one keep or unsure suffices (recall). `all`: k judgements, each a keep with no failed
    head (precision); fewer than k decide against the image.

    >>> decide([StageJudgement("reject"), StageJudgement("unsure")], keep="any", k=2)
    StageDecision(kept=True, why='1 of 2 would not drop it')
    >>> decide([StageJudgement("keep"), StageJudgement("keep", ("light",))], keep="all", k=2)
    StageDecision(kept=False, why='failed: light (1 of 2)')
    """
    given = len(judgements)
    said = Counter(each.answer for each in judgements)
    if keep == ANY:
        spared = said["keep"] + said["unsure"]
        if spared:
            return StageDecision(True, f"{spared} of {given} would not drop it")
        return StageDecision(False, f"rejected by {given} of {given}" if given else "not judged")
    if said["reject"]:
        return StageDecision(False, f"rejected by {said['reject']} of {given}")
    failed = Counter(head for each in judgements for head in each.failed)
    if failed:
        heads = ", ".join(f"{head} ({count} of {given})" for head, count in sorted(failed.items()))
        return StageDecision(False, f"failed: {heads}"[:200])
    if said["unsure"]:
        return StageDecision(False, f"{said['unsure']} of {given} unsure")
    if given < k:
        return StageDecision(False, f"judged by {given} of {k}")
    return StageDecision(True, f"kept by {given} of {k}")


def would_keep(answer: str, *, keep: str, failed: Sequence[str] = ()) -> bool:
    """Return whether one judgement alone speaks for keeping, as `decide` counts it."""
    return answer in ("keep", "unsure") if keep == ANY else answer == "keep" and not failed


def decisions_hash(decisions: Iterable[tuple[str, bool, str]]) -> str:
    """Return the SHA-256 of (image hash, kept, why), a line each, by image hash."""
    lines = sorted(f"{sha}\t{int(kept)}\t{why}\n" for sha, kept, why in decisions)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
