"""Orders of arms in words and cells, the same in the table, on the page and in figures."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from evalplatform.reports.cells import early_net, p_value
from evalplatform.reports.gallery import GalleryResult, GradeResult
from evalplatform.stats import (
    ArmPair,
    ArmRanking,
    ArmRating,
    Decider,
    EarlyLook,
    Estimate,
    Lead,
    RankingRobustness,
    Standing,
    State,
)

CLAIM = 0.05
"""Below this a p that is adjusted for all that was looked at is evidence of a preference."""

_MOST_NAMED = 3  # arms that the first one is not told apart from


def listed(names: Sequence[str], word: str = "and") -> str:
    """Return "A", "A and B" or "A, B and C"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"


def order_said(found: GalleryResult | GradeResult) -> tuple[str, str]:
    """Return the letter of the arm alone at the top, or "", and what people do, for a sentence.

    It claims no more than the ranks that hold for all arms at once: ("A", "prefer A to all others;
    behind it B (rank 2–3), C (rank 2–3)").
    """
    if isinstance(found, GradeResult):
        if len(found.ratings.ratings) == 1:  # of one arm, such as a pool, there is no order
            (alone,) = found.ratings.ratings
            return "", f"give {alone.arm} a mean grade of {mean_grade(alone.mean)}"
        return _of_ranks(found.ratings.ratings, found.ratings.reason)
    ranking = found.ranking
    if ranking.state is State.DISCONNECTED:
        groups = " | ".join(", ".join(map(str, group)) for group in ranking.groups)
        return "", f"were not shown all arms together, so there is no one order: {groups}"
    leader, said = _of_ranks(ranking.standings, ranking.interval_reason or ranking.reason)
    won = [str(each.arm) for each in ranking.standings if each.unbounded.startswith("won")]
    if won and not leader:
        said += f", though {listed(won)} won every comparison"
    return leader, said


def _of_ranks(arms: Sequence[Standing] | Sequence[ArmRating], reason: str) -> tuple[str, str]:
    held = [each for each in arms if each.rank_low is not None]
    if not held:
        return "", f"give no order yet: {reason[:1].lower()}{reason[1:].rstrip('.')}"
    first = [str(each.arm) for each in held if each.rank_low == 1]
    behind = [
        f"{each.arm} (rank {ranks(each.rank_low, each.rank_high)})"
        for each in held
        if each.rank_low != 1
    ]
    if not behind:
        return "", f"show no preference among {listed(first)}"
    if len(first) == 1:
        return first[0], f"prefer {first[0]} to all others; behind it {listed(behind)}"
    who = f"{listed(first, 'or')} may be first"
    return "", f"show no single favourite: {who}; behind them {listed(behind)}"


def lead_in_words(found: GalleryResult | GradeResult) -> str:
    """Say how far the first arm is ahead, with bounds for all arms at once; "" without any.

    Where it is told apart from all: of the arm that comes closest. Else of those it is not told
    apart from, closest first; arms that won nothing have no strength to be ahead of.
    """
    leads, unit = leads_of(found)
    if not leads:
        return ""
    told_apart = [each for each in leads if each.is_told_apart]
    open_ones = [each for each in leads if not each.is_told_apart]
    if told_apart and order_said(found)[0]:  # of some, perhaps, only by a chain of others
        closest = min(told_apart, key=lambda each: each.low)
        return (
            f"{closest.arm} is ahead of {closest.other}, the closest, by {_lead(closest)} {unit}."
        )
    if open_ones:
        return _not_told_apart(open_ones, len(leads), unit)
    closest = min(leads, key=lambda each: each.low)
    return (
        f"{closest.arm} is ahead of all that have a strength, of {closest.other}, the closest, by "
        f"{_lead(closest)} {unit}{_losers_in_words(found, closest.arm)}."
    )


def _not_told_apart(open_ones: Sequence[Lead], n_leads: int, unit: str) -> str:
    named = [f"{each.other} by {_lead(each)}" for each in open_ones[:_MOST_NAMED]]
    if len(open_ones) > _MOST_NAMED:
        named.append(f"{len(open_ones) - _MOST_NAMED} more")
    whom = "those" if len(open_ones) == n_leads else f"{len(open_ones)} of the {n_leads} arms"
    return (
        f"{open_ones[0].arm}, first by its estimate, is not told apart from {whom} behind it: "
        f"ahead of {listed(named)} {unit}."
    )


def _losers_in_words(found: GalleryResult | GradeResult, first: Hashable) -> str:
    """The arms without a strength that may yet be first, for the end of a sentence."""
    standings = found.ranking.standings if isinstance(found, GalleryResult) else ()
    losers = [str(each.arm) for each in standings if each.unbounded and each.rank_low == 1]
    if not losers:
        return ""
    them = "it" if len(losers) == 1 else "them"
    return f"; {listed(losers)} lost every comparison, too few to tell {them} apart from {first}"


def leads_of(found: GalleryResult | GradeResult) -> tuple[tuple[Lead, ...], str]:
    """Return how far the first arm is ahead of each other one, and in what.

    None where an arm that won every comparison is before it.
    """
    if isinstance(found, GradeResult):
        return found.ratings.leads, "in mean grade"
    ranking = found.ranking
    if any(each.unbounded.startswith("won") for each in ranking.standings):
        return (), ""
    return ranking.leads, "in strength"


def _lead(each: Lead) -> str:
    return number(each.value, each.low, each.high, signed=False)


def number(value: float | None, low: float | None, high: float | None, *, signed: bool) -> str:
    """Return a number and its interval with two digits, or a dash."""
    if value is None:
        return "–"
    sign = "+" if signed else ""
    if low is None or high is None:
        return f"{value:{sign}.2f} [–]"
    return f"{value:{sign}.2f} [{low:{sign}.2f}, {high:{sign}.2f}]"


def mean_grade(estimate: Estimate) -> str:
    """Return a mean grade and its interval."""
    return number(estimate.value, estimate.low, estimate.high, signed=False)


def ranks(low: int | None, high: int | None) -> str:
    """Return the ranks an arm may have: "1", "2–4", or a dash."""
    if low is None or high is None:
        return "–"
    return f"{low}" if low == high else f"{low}–{high}"


def in_matrix(ranking: ArmRanking) -> dict[tuple[str, str], ArmPair]:
    """Return each two arms that met by their letters, as `ArmPair` names them."""
    return {(str(each.arm), str(each.other)): each for each in ranking.pairs}


def look_in_words(look: EarlyLook, first: str = "A", second: str = "B") -> str:
    """Say what an early look may: of these annotators, and only with reason of others."""
    sequence = look.sequence
    if sequence.low is None or sequence.high is None:
        return sequence.reason
    if not sequence.decided:
        return "no preference shown yet"
    leader = first if sequence.low > 0.0 else second
    if look.is_claim:
        return f"{leader} preferred"
    return f"these annotators prefer {leader}; {look.reason}"


def early_bounds(found: GalleryResult | GradeResult, look: EarlyLook) -> str:
    """Return the bounds for every look: of a net in per cent, of grades in grades."""
    sequence = look.sequence
    if isinstance(found, GalleryResult):
        return early_net(sequence)
    if sequence.value is None:
        return f"– ({sequence.state.value.replace('_', ' ')})"
    return number(sequence.value, sequence.low, sequence.high, signed=True)


def early_measure(found: GalleryResult | GradeResult) -> str:
    """Return what is bounded before the end."""
    return "net" if isinstance(found, GalleryResult) else "mean grade less mean grade"


def claimed_early(found: GalleryResult | GradeResult) -> list[str]:
    """Return what may be claimed of two arms before the end, such as "A over C"."""
    claims = [
        (each, each.look.net.value)
        for each in found.early
        if each.look.is_claim and each.look.net and each.look.net.value
    ]
    return [
        f"{each.arm} over {each.other}" if net > 0.0 else f"{each.other} over {each.arm}"
        for each, net in claims
    ]


def claimed_by_group(found: GalleryResult | GradeResult) -> list[str]:
    """Return what Holm's p allows to claim of groups of prompts, and how many tests there were.

    It is of one look, so nothing is claimed before the last vote.
    """
    tests = [each for each in found.by_group if each.test.p_holm is not None]
    if not tests:
        return []
    if found.is_open:
        return [f"Exploratory, {len(tests)} tests of two arms: not decided yet, votes are missing."]
    claims = [
        f"{each.test.kind} {each.test.name}: {each.arm if net > 0.0 else each.other} over "
        f"{each.other if net > 0.0 else each.arm} ({100 * abs(net):+.0f} %, Holm p "
        f"{p_value(each.test.p_holm)})"
        for each in tests
        if each.test.p_holm is not None and each.test.p_holm < CLAIM
        for net in [each.test.rates.net.value or 0.0]
    ]
    return [
        f"Exploratory, {len(tests)} tests of two arms: "
        + ("; ".join(claims) if claims else "no preference that holds for all of them at once")
        + "."
    ]


def unbounded_in_words(ranking: ArmRanking) -> list[str]:
    """Say of each arm without a strength why it has none."""
    said = [
        f"{each.arm} {each.unbounded}: it has a rank but no strength, and the others are ranked "
        "without it."
        for each in ranking.standings
        if each.unbounded
    ]
    if ranking.never_compared:
        said.append(f"No vote shows {listed([str(arm) for arm in ranking.never_compared])} yet.")
    return said


def robustness_in_words(robustness: RankingRobustness) -> list[str]:
    """Say what the first place depends on, a sentence each."""
    if robustness.state is not State.DEFINED:
        return [robustness.reason] if robustness.reason else []
    units = (robustness.votes, robustness.annotators, robustness.prompts)
    known = [each for each in units if each is not None]
    said = [_decider_in_words(each) for each in known if each.count is not None]
    unbeaten = [each.unit for each in known if each.state is State.UNBEATABLE]
    if unbeaten:
        what = listed(unbeaten, "or")
        said.append(f"Leaving out {what} that favour the leader gives no other leader.")
    shared = [each.reason for each in known if each.state is State.NO_LEADER]
    if shared:
        return shared[:1]
    return said + _without_one_in_words(robustness)


def _without_one_in_words(robustness: RankingRobustness) -> list[str]:
    """Say whether any single annotator decides who is first, and without whom nobody can tell."""
    changing = [str(each) for each in robustness.leader_changes_without]
    open_ones = [str(each) for each in robustness.undefined_without]
    said = [f"Without {listed(changing, 'or')} alone another arm is first."] if changing else []
    if open_ones:
        whom = listed(open_ones, "or")
        if len(open_ones) > _MOST_NAMED:
            whom = f"any one of {len(open_ones)} annotators"
        said.append(f"Without {whom} alone the votes left give no strengths to tell it by.")
    if not changing:
        other = "other " if open_ones else ""
        said.append(f"Without any {other}single annotator the first place stays.")
    return said


def _decider_in_words(decider: Decider) -> str:
    assert decider.share is not None
    unit = decider.unit[:-1] if decider.count == 1 else decider.unit
    which = f" ({', '.join(str(each) for each in decider.ids)})" if decider.ids else ""
    return (
        f"{decider.new_leader} would be first without {decider.count:,} {unit}"
        f" ({100 * decider.share:.1f} % of all){which}."
    )
