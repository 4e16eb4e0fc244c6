"""What each person said in a stage of a pool, or of its captions, and of gold among that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Q

from evalplatform import stats
from evalplatform.annotation.models import Assignment, Vote
from evalplatform.curation import gold_folder
from evalplatform.curation.deciding import would_keep
from evalplatform.curation.models import Pool, Stage


@dataclass(frozen=True)
class PersonFigures:
    """One person in a stage; each share with Wilson's 95 % interval, over what was judged.

    Attributes:
        kept: images for which they spoke, as the stage's rule counts.
        excellent: hidden gold known to be excellent that they spoke for: their recall.
        bad: hidden gold known to be bad that they spoke for.
        a_minute: judgements a minute of looking, gold too; None without known times.
    """

    pseudonym: str
    is_simulated: bool
    kept: stats.Proportion
    excellent: stats.Proportion
    bad: stats.Proportion
    a_minute: float | None


@dataclass(frozen=True)
class ApproverFigures:
    """One person in the approvals of a pool; each share with Wilson's 95 % interval.

    Attributes:
        approved: of the captions that others wrote.
        right: approved of hidden gold captions known to be right: their recall.
        wrong: approved of hidden gold captions known to be wrong.
        a_minute: judgements a minute of looking, gold too; None without known times.
    """

    pseudonym: str
    is_simulated: bool
    approved: stats.Proportion
    right: stats.Proportion
    wrong: stats.Proportion
    a_minute: float | None


@dataclass(frozen=True)
class _Said:
    """One judgement: whether it speaks for the image; `known`: its grade, of gold."""

    is_simulated: bool
    speaks: bool
    milliseconds: int | None
    known: list[int] | None


def people_of(stage: Stage) -> list[PersonFigures]:
    """Return everybody who judged in a stage, by pseudonym; votes taken back do not count."""
    said = _said(
        Q(assignment__campaign=stage.campaign_id),
        lambda answer, marks: would_keep(answer, keep=stage.keep, failed=marks),
    )
    return [
        PersonFigures(
            pseudonym=name, is_simulated=any(each.is_simulated for each in answers),
            kept=_share(answers, None), excellent=_share(answers, gold_folder.KEEP),
            bad=_share(answers, gold_folder.REJECT), a_minute=_a_minute(answers),
        )
        for name, answers in said.items()
    ]  # fmt: skip


def approvers_of(pool: Pool) -> list[ApproverFigures]:
    """Return everybody who approved captions in any round, as `people_of` does of a stage."""
    said = _said(
        Q(assignment__campaign__captions_approved__pool=pool),
        lambda answer, marks: answer == "approve",
    )
    return [
        ApproverFigures(
            pseudonym=name, is_simulated=any(each.is_simulated for each in answers),
            approved=_share(answers, None), right=_share(answers, gold_folder.APPROVE),
            wrong=_share(answers, gold_folder.REFUSE), a_minute=_a_minute(answers),
        )
        for name, answers in said.items()
    ]  # fmt: skip


def _said(where: Q, speaks: Callable[[str, Sequence[str]], bool]) -> dict[str, list[_Said]]:
    """Return what was said of images and gold, by pseudonym in order."""
    rows = (
        Vote.objects.filter(where, retracted_at__isnull=True)
        .filter(assignment__purpose__in=[Assignment.Purpose.MAIN, Assignment.Purpose.GOLD])
        .values_list(
            "annotator__pseudonym", "is_simulated", "answer", "marks", "response_time_ms",
            "assignment__item__image_set__expected",
        )
    )  # fmt: skip
    found: dict[str, list[_Said]] = defaultdict(list)
    for person, simulated, answer, marks, took, expected in rows.iterator():
        found[person].append(_Said(simulated, speaks(answer, marks), took, expected))
    return dict(sorted(found.items()))


def _share(answers: Iterable[_Said], grade: int | None) -> stats.Proportion:
    """Return how many speak for gold of this grade, or for images where that is None."""
    known = None if grade is None else [grade]
    found = [each.speaks for each in answers if each.known == known]
    return stats.proportion(sum(found), len(found))


def _a_minute(answers: Iterable[_Said]) -> float | None:
    times = [each.milliseconds for each in answers if each.milliseconds is not None]
    return 60_000 * len(times) / sum(times) if sum(times) else None


def share_in_words(share: stats.Proportion) -> str:
    """Such as "7 of 8: 88 % [53, 98]"."""
    if share.value is None or share.low is None or share.high is None:
        return "–"
    return (
        f"{share.hits:,} of {share.total:,}: {100 * share.value:.0f} % "
        f"[{100 * share.low:.0f}, {100 * share.high:.0f}]"
    )
