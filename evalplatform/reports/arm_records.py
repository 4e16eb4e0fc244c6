"""Rows of groups.csv where more than two arms meet, or single images are graded."""

from collections.abc import Iterator
from typing import Any

from evalplatform.reports.gallery import GalleryResult, GradeResult
from evalplatform.reports.result_types import CampaignResults
from evalplatform.stats import (
    ArmPair,
    ArmRanking,
    ArmRating,
    ArmRatings,
    EarlyLook,
    Estimate,
    Standing,
)

MEASURES = ("win", "tie", "lose", "net", "half", "decided")


def arm_records(results: CampaignResults) -> Iterator[dict[str, Any]]:
    """Yield a row an estimate of arms, named by `arm` and, where it is of two, by `other`.

    Measures of one arm: "strength" (natural log units), "rank" (low and high: the ranks it may
    have), "tier", "mean_grade", "share_of_grade_N". Of two: "lead" (of the first over each other,
    its bounds for all arms at once), those of `MEASURES` with p_holm of net over
    all pairs, and "mean_difference" of grades; "early_net" and "early_mean_difference" while votes
    are missing. `by` is
    "category" or "challenge" where two arms are compared in a group of prompts.
    """
    names = {arm.letter: arm.name for arm in results.campaign.contenders}
    found: list[GalleryResult | GradeResult] = [*results.galleries, *results.gradings]
    for each in found:
        for row in [*_rows(each), *_of_groups(each)]:
            yield {
                "criterion": each.criterion,
                "by": "prompts",
                "name": each.prompts,
                **{key: "" if value is None else value for key, value in row.items()},
                "arm": names[row["arm"]],
                "other": names[row["other"]] if row.get("other") else "",
            }


def _rows(found: GalleryResult | GradeResult) -> Iterator[dict[str, Any]]:
    if isinstance(found, GalleryResult):
        yield from _of_ranking(found.ranking)
        for each in found.early:
            yield {"arm": each.arm, "other": each.other} | early_record(each.look)
    else:
        yield from _of_ratings(found.ratings)
        for each in found.early:
            named = {"arm": each.arm, "other": each.other, "measure": "early_mean_difference"}
            yield early_record(each.look) | named


def _of_ranking(ranking: ArmRanking) -> Iterator[dict[str, Any]]:
    for each in ranking.standings:
        yield _strength(each, ranking)
        yield from _places(each, ranking.level, ranking.rank_method)
    yield from _leads(ranking)
    n_tests = sum(pair.net_p_holm is not None for pair in ranking.pairs)
    for pair in ranking.pairs:
        for measure in MEASURES:
            more = {"p_value": pair.rates.net.p_value, "p_holm": pair.net_p_holm,
                    "tests_in_family": n_tests} if measure == "net" else {}  # fmt: skip
            yield _of_pair(pair, measure, getattr(pair.rates, measure)) | more


def _strength(each: Standing, ranking: ArmRanking) -> dict[str, Any]:
    return {
        "arm": each.arm, "measure": "strength", "value": each.value, "se": each.se,
        "low": each.low, "high": each.high, "level": ranking.level, "df": each.df,
        "n_votes": each.n_votes, "n_prompts": ranking.n_prompts,
        "n_annotators": ranking.n_annotators, "state": ranking.interval_state.value,
        "reason": each.unbounded or ranking.interval_reason, "method": ranking.method,
    }  # fmt: skip


def _places(each: Standing | ArmRating, level: float, method: str) -> Iterator[dict[str, Any]]:
    held = {"arm": each.arm, "level": level, "method": method}
    yield held | {
        "measure": "rank", "value": each.rank, "low": each.rank_low, "high": each.rank_high
    }  # fmt: skip
    yield held | {"measure": "tier", "value": each.tier}


def _leads(found: ArmRanking | ArmRatings) -> Iterator[dict[str, Any]]:
    for each in found.leads:
        yield vars(each) | {"measure": "lead", "level": found.level, "method": found.rank_method}


def _of_pair(pair: ArmPair, measure: str, estimate: Estimate) -> dict[str, Any]:
    return vars(estimate) | {"arm": pair.arm, "other": pair.other, "measure": measure}


def early_record(look: EarlyLook) -> dict[str, Any]:
    """The bounds that may be read at every look, as a row without its place."""
    sequence = look.sequence
    return {
        "measure": "early_net", "value": sequence.value, "low": sequence.low,
        "high": sequence.high, "level": sequence.level, "n_prompts": sequence.n_prompts,
        "state": sequence.state.value, "reason": sequence.reason, "method": sequence.method,
    }  # fmt: skip


def _of_groups(found: GalleryResult | GradeResult) -> Iterator[dict[str, Any]]:
    for each in found.by_group:
        test = each.test
        place = {"arm": each.arm, "other": each.other, "by": test.kind, "name": test.name}
        for measure in MEASURES:
            tested = {"p_value": test.p_value, "p_holm": test.p_holm,
                      "tests_in_family": test.n_tests, "untested": test.reason}  # fmt: skip
            yield (
                vars(getattr(test.rates, measure))
                | place
                | {"measure": measure}
                | (tested if measure == "net" else {})
            )


def excluded_records(results: CampaignResults) -> Iterator[dict[str, Any]]:
    """Yield a row a figure as it is with the excluded votes, such as "net_with_excluded"."""
    names = {arm.letter: arm.name for arm in results.campaign.contenders}
    for each in results.with_excluded:
        if each.other is None:
            continue
        measure = f"{each.measure.replace(' ', '_')}_with_excluded"
        yield (
            vars(each.other)
            | {"criterion": each.criterion, "by": "prompts", "name": each.prompts}
            | {"measure": measure}
            | ({"arm": names[each.arm]} if each.arm else {})
        )


def _of_ratings(ratings: ArmRatings) -> Iterator[dict[str, Any]]:
    for each in ratings.ratings:
        yield vars(each.mean) | {"arm": each.arm, "measure": "mean_grade"}
        yield from _places(each, ratings.level, ratings.rank_method)
        for grade, share in each.shares.items():
            yield vars(share) | {"arm": each.arm, "measure": f"share_of_grade_{grade}"}
    yield from _leads(ratings)
    n_tests = sum(pair.p_holm is not None for pair in ratings.differences)
    for pair in ratings.differences:
        yield {
            "arm": pair.arm, "other": pair.other, "measure": "mean_difference",
            "value": pair.value, "se": pair.se, "low": pair.low, "high": pair.high,
            "level": ratings.level, "df": pair.df, "p_value": pair.p_value,
            "p_holm": pair.p_holm, "tests_in_family": n_tests,
        }  # fmt: skip
