"""results.json: the same facts as the dashboard, for other programs."""

from collections.abc import Mapping, Sequence
from typing import Any

from evalplatform import stats
from evalplatform.quality.measures import Share
from evalplatform.quality.summary import NARROW, QualitySummary
from evalplatform.reports.answers import answers
from evalplatform.reports.consensus import consensus_json
from evalplatform.reports.criteria_beside import beside_json, orders_beside
from evalplatform.reports.gallery import GalleryResult, GradeResult
from evalplatform.reports.languages import LanguageResult, languages_json
from evalplatform.reports.other_votes import Figure
from evalplatform.reports.result_types import CampaignResults, CategoryResult
from evalplatform.reports.samples import samples_json
from evalplatform.reports.serve_order import order_json

VERDICT_MEASURES = ("win", "tie", "no_majority", "lose", "net")
FORMAT = "evalplatform-results/5"


def results_json(results: CampaignResults) -> dict[str, Any]:
    """Return the results as plain JSON values; undefined numbers are null beside their reason."""
    campaign = results.campaign
    return {
        "format": FORMAT,
        "simulated": results.is_simulated,
        "simulated_note": results.simulated_stamp,
        "imported_note": results.imported_stamp,
        "imported_from": campaign.imported_from,
        "campaign": campaign.slug,
        "status": campaign.status,
        "code_version": results.code_version,
        "made_at": results.made_at.isoformat(),
        "protocol_sha256": campaign.protocol_sha256,
        "protocol": campaign.protocol,
        "design": campaign.design,
        "arms": [
            {"arm": arm.letter, "name": arm.name, "sha256": arm.sha256}
            for arm in campaign.contenders
        ],
        "items": results.completeness.items,
        "votes": results.completeness.votes,
        "votes_wanted": results.completeness.votes_wanted,
        "surplus_votes": results.completeness.surplus_votes,
        "excluded_votes": results.quality.excluded_votes,
        "annotators": results.n_annotators,
        "simulated_votes": results.n_simulated_votes,
        "median_response_ms": results.median_response_ms,
        "shown_px": results.shown_sizes.as_dict() if results.shown_sizes else None,
        "side_bias": stats.plain(results.side_bias),
        "one_against_rest": consensus_json(results.consensus),
        "order_effect": _order_effects(results),
        "answers": [stats.plain(each) for each in answers(results)],
        "groups": _groups(results),
        "galleries": [_gallery(each) for each in results.galleries],
        "gradings": [_grading(each) for each in results.gradings],
        "criteria_beside": beside_json(
            results.criteria_beside, orders_beside(results.galleries, results.gradings)
        ),
        "languages": languages_json(results.languages),
        "by_language": _tests(results.by_language),
        "early_looks": [
            {"criterion": each.criterion} | _bounds(each.look) for each in results.early_looks
        ],
        "with_excluded_votes": _with_excluded(results),
        "exclusions": _exclusions(results.quality),
        "rings": _rings(results),
        "samples": samples_json(campaign),
        "safety_filter": results.safety.as_dict() if results.safety else None,
        "data_quality": _quality(results.quality, results.profiles),
        "exploratory": _tests(results.categories),
    }


def _gallery(result: GalleryResult) -> dict[str, Any]:
    return _place(result) | {
        "ranking": result.ranking.as_dict(),
        "agreement": [each.as_dict() for each in result.agreement],
        "early_looks": _looks(result),
        "exploratory": _tests_of_arms(result.by_group),
        "order_effect": order_json(result),
    }


def _looks(result: GalleryResult | GradeResult) -> list[dict[str, Any]]:
    return [{"arm": each.arm, "other": each.other} | _bounds(each.look) for each in result.early]


def _grading(result: GradeResult) -> dict[str, Any]:
    return _place(result) | {
        "ratings": result.ratings.as_dict(),
        "as_pairs": result.as_pairs.as_dict() if result.as_pairs else None,
        "agreement": [each.as_dict() for each in result.agreement],
        "early_looks": _looks(result),
        "exploratory": _tests_of_arms(result.by_group),
        "order_effect": order_json(result),
    }


def _groups(results: CampaignResults) -> list[dict[str, Any]]:
    return [
        {
            "criterion": group.criterion,
            "prompts": group.prompts,
            "depth": group.depth,
            "k": group.k,
            "votes": _rates(group.rates),
            "prompt_means": _rates(group.prompt_means),
            "verdicts": _verdicts(group.verdicts),
            "test": stats.plain(group.test),
            "agreement": stats.plain(group.agreement),
        }
        for group in results.groups
    ]


def _with_excluded(results: CampaignResults) -> list[dict[str, Any]]:
    """Nets of two arms, and strengths or mean grades of more."""
    return [
        {
            "criterion": each.criterion,
            "prompts": each.prompts,
            "votes_excluded": each.votes,
        }
        | ({} if each.is_share else {"measure": each.measure, "arm": each.arm})
        | {
            f"{'net_' if each.is_share else ''}without": stats.plain(each.as_reported),
            f"{'net_' if each.is_share else ''}with": stats.plain(each.other),
        }
        for each in results.with_excluded
    ]


def _tests(found: Sequence[CategoryResult | LanguageResult]) -> list[dict[str, Any]]:
    return [{"criterion": each.criterion} | _test(each.test) for each in found]


def _tests_of_arms(found: Sequence[stats.ArmGroupTest]) -> list[dict[str, Any]]:
    """Of each two arms; all of a criterion are one family."""
    return [{"arm": each.arm, "other": each.other} | _test(each.test) for each in found]


def _test(test: stats.GroupTest) -> dict[str, Any]:
    return {
        "by": test.kind,
        "name": test.name,
        "votes": _rates(test.rates),
        "p_value": test.p_value,
        "p_holm": test.p_holm,
        "tests_in_family": test.n_tests,
        "untested": test.reason or None,
    }


def _order_effects(results: CampaignResults) -> list[dict[str, Any]]:
    return [
        {"criterion": each.criterion} | stats.plain(each.effect) for each in results.order_effects
    ]


def _place(found: GalleryResult | GradeResult) -> dict[str, Any]:
    """Of what these results are; arms in them have their letters."""
    return {
        "criterion": found.criterion,
        "form": found.form,
        "prompts": found.prompts,
        "depth": found.depth,
        "k": found.k,
    }


def _bounds(look: stats.EarlyLook) -> dict[str, Any]:
    """The bounds speak of these annotators; `claim` is of others, at `net_for_others`' level.

    Of grades all of them are differences of means, in grades.
    """
    sequence = look.sequence
    names = (
        "value", "low", "high", "level", "n_prompts", "decided", "method", "assumes", "state",
        "reason",
    )  # fmt: skip
    return {name: stats.plain(getattr(sequence, name)) for name in names} | {
        "claim": look.is_claim,
        "why_no_claim": look.reason,
        "net_for_others": stats.plain(look.net),
    }


def _exclusions(quality: QualitySummary) -> list[dict[str, Any]]:
    return [
        {
            "annotator": each.pseudonym,
            "simulated": each.is_simulated,
            "rule": each.rule,
            "detail": each.detail,
            "decided_at": each.decided_at.isoformat(),
            "reinstated_at": each.revoked_at.isoformat() if each.revoked_at else None,
            "votes": each.votes,
            "replaced": each.replaced,
            "still_open": each.still_open,
        }
        for each in quality.exclusions
    ]


def _rings(results: CampaignResults) -> dict[str, Any]:
    """Accounts that answer alike by agreement: flagged, and in all other figures all the same."""
    found = results.rings
    return {
        "accounts_compared": found.n_compared,
        "not_looked_for": found.reason or None,
        "found": [stats.plain(each) | {"says": each.sentence} for each in found.rings],
        "with_and_without": [
            {
                "criterion": each.criterion,
                "criterion_label": each.criterion_label,
                "prompts": each.prompts,
                "measure": each.measure,
                "arm": each.arm,
                "as_reported": stats.plain(each.as_reported and Figure.of(each.as_reported)),
                "without": stats.plain(each.other and Figure.of(each.other)),
                "votes_fewer": each.votes,
            }
            for each in results.without_rings
        ],
    }


def _quality(
    quality: QualitySummary, profiles: Mapping[str, stats.AnnotatorProfile]
) -> dict[str, Any]:
    """Shares are of votes that count unless their name says otherwise."""
    return {
        "items_with_k_votes": quality.items_complete,
        "items_with_fewer": quality.items_short,
        "gold_right": _share(quality.gold),
        "gold_right_with_excluded": _share(quality.gold_of_all),
        "repeats_as_before": _share(quality.repeats),
        "repeats_as_before_with_excluded": _share(quality.repeats_of_all),
        "too_fast": _share(quality.too_fast) | {"below_ms": quality.min_response_ms},
        "narrow_viewport": _share(quality.narrow) | {"below_css_px": NARROW},
        "zoomed": _share(quality.zoomed),
        "undone": quality.undone,
        "surplus_by_reason": quality.surplus,
        "skips_by_reason": quality.skips,
        "skipped_often": [stats.plain(each) for each in quality.skipped_often],
        "ties": [stats.plain(each) for each in quality.raw_ties],
        "annotators": [
            {
                "annotator": each.pseudonym,
                "simulated": each.is_simulated,
                "excluded_by": each.excluded_by or None,
                "votes": each.votes,
                "gold_right": _share(each.gold),
                "comprehension_tries": each.comprehension_tries,
                "qualification_right": _share(each.qualification),
                "repeats_as_before": _share(each.repeats),
                "too_fast": _share(each.too_fast),
                "left": _share(each.left),
                "ties": _share(each.ties),
                "as_majority": _share(each.majority),
                "median_response_ms": each.median_response_ms,
                "skips_by_reason": each.skips,
                "surplus_votes": each.surplus,
                "beside_others": _beside_others(profiles.get(each.pseudonym)),
            }
            for each in quality.annotators
        ],
    }


def _beside_others(profile: stats.AnnotatorProfile | None) -> dict[str, Any] | None:
    """A profile without the number that its annotator has in the database."""
    if profile is None:
        return None
    return {name: value for name, value in stats.plain(profile).items() if name != "annotator"}


def _share(share: Share) -> dict[str, Any]:
    interval = stats.proportion(share.hits, share.total)
    return {
        "count": share.hits,
        "of": share.total,
        "share": share.value,
        "low": interval.low,
        "high": interval.high,
    }


def _rates(rates: stats.WinRates) -> dict[str, Any]:
    return {
        "counts": stats.plain(rates.tally),
        "estimand": rates.estimand,
        "level": rates.level,
        **{
            name: stats.plain(getattr(rates, name))
            for name in ("win", "tie", "lose", "net", "half", "decided")
        },
    }


def _verdicts(verdicts: stats.Verdicts) -> dict[str, Any]:
    return {
        "rule": verdicts.rule,
        "counts": stats.plain(verdicts.tally),
        "incomplete": verdicts.n_incomplete,
        **{name: stats.plain(getattr(verdicts, name)) for name in VERDICT_MEASURES},
    }
