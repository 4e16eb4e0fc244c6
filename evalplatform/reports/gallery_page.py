"""What the dashboard shows of more than two arms, and of single images."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from evalplatform.core.components import BarPart, ForestRow
from evalplatform.reports.cells import coefficient, p_value, percent, percent_of
from evalplatform.reports.gallery import GalleryResult, GradeResult
from evalplatform.reports.gallery_table import grade_names
from evalplatform.reports.orders import (
    CLAIM,
    claimed_by_group,
    early_bounds,
    in_matrix,
    look_in_words,
    mean_grade,
    number,
    order_said,
    ranks,
    robustness_in_words,
    unbounded_in_words,
)
from evalplatform.reports.prompts import row_name
from evalplatform.reports.result_types import CampaignResults
from evalplatform.stats import ArmLook, ArmPair, ArmRanking, GradedAgreement

_NO_BREAK = "\N{NO-BREAK SPACE}"
_GRADE_KINDS = {  # how a bar shows each grade, worst first, by how many there are
    2: ("g1", "g5"),
    3: ("g1", "g3", "g5"),
    5: ("g1", "g2", "g3", "g4", "g5"),
}


def gallery_context(results: CampaignResults, images: str = "") -> list[dict[str, Any]]:
    """Return what `reports/_galleries.html` shows: one a criterion, its parts within.

    `images` is the address of the campaign's images, to which rows lead; empty: nowhere.
    """
    names = _names(results)
    return [
        {
            "criterion": whole.criterion_label,
            "rows": strength_rows(whole, names, images),
            "is_drawn": any(each.low is not None for each in whole.ranking.standings),
            "ranking": whole.ranking,
            "standings": _standings(whole.ranking),
            "notes": unbounded_in_words(whole.ranking),
            "no_interval": whole.ranking.interval_reason,
            "matrix": _matrix(whole, images),
            "pairs": [_pair(whole, pair, images) for pair in whole.ranking.pairs],
            "early": [_early(whole, look) for look in whole.early],
            "by_group": _by_group(whole, images),
            "depends": robustness_in_words(whole.ranking.robustness),
            "agreement": [_agreement(each) for each in whole.agreement],
            "parts": [_part(each) for each in parts],
        }
        for whole, parts in _by_criterion(results.galleries)
    ]


def grading_context(results: CampaignResults, images: str = "") -> list[dict[str, Any]]:
    """Return what `reports/_gradings.html` shows: one a criterion, its parts within."""
    arms = _names(results)
    return [
        {
            "criterion": whole.criterion_label,
            "means": grade_rows(whole, arms, images),
            "ends": grade_ends(whole),
            "bars": _bars(whole),
            "ratings": whole.ratings,
            "names": (names := grade_names(whole)),
            "rows": [_graded(each, names) for each in whole.ratings.ratings],
            "differences": [
                {
                    "arms": f"{each.arm} – {each.other}",
                    "value": _broken(number(each.value, each.low, each.high, signed=True)),
                    "p_holm": p_value(each.p_holm),
                }
                for each in whole.ratings.differences
            ],
            "as_pairs": _standings(whole.as_pairs) if whole.as_pairs else None,
            "no_interval": whole.ratings.reason,
            "early": [_early(whole, look) for look in whole.early],
            "by_group": _by_group(whole, images),
            "agreement": [_agreement(each) for each in whole.agreement],
            "parts": [_part(each) for each in parts],
        }
        for whole, parts in _by_criterion(results.gradings)
    ]


def _names(results: CampaignResults) -> dict[str, str]:
    return {arm.letter: arm.name for arm in results.campaign.contenders}


def strength_rows(found: GalleryResult, names: dict[str, str], images: str = "") -> list[ForestRow]:
    """Return the arms' strengths as rows of a forest, best first; each leads to its best sets."""
    return [
        ForestRow(
            names.get(str(each.arm), ""), each.value, each.low, each.high,
            each.unbounded or number(each.value, each.low, each.high, signed=True),
            arm=str(each.arm), note=f"rank {ranks(each.rank_low, each.rank_high)}",
            href=_images(images, found, sort=f"best-{each.arm}"),
        )
        for each in found.ranking.standings
    ]  # fmt: skip


def _images(images: str, found: GalleryResult | GradeResult, **asked: str) -> str:
    """The address of the criterion's images that are like that."""
    wanted = urlencode({"criterion": found.criterion} | asked)
    return f"{images}?{wanted}" if images else ""


def _both(images: str, found: GalleryResult | GradeResult, *arms: object, **asked: str) -> str:
    """The address of the images of two arms beside each other; of single images those of all."""
    if isinstance(found, GalleryResult):
        asked["arms"] = "-".join(sorted(map(str, arms), key=lambda each: (len(each), each)))
    return _images(images, found, **asked)


def grade_rows(found: GradeResult, names: dict[str, str], images: str = "") -> list[ForestRow]:
    """Return the arms' mean grades as rows of a forest, best first."""
    return [
        ForestRow(
            names.get(str(each.arm), ""), each.mean.value, each.mean.low, each.mean.high,
            mean_grade(each.mean), arm=str(each.arm), n=f"{each.mean.n_votes:,}",
            note=f"rank {ranks(each.rank_low, each.rank_high)}",
            href=_images(images, found),
        )
        for each in found.ratings.ratings
    ]  # fmt: skip


def grade_ends(found: GradeResult) -> tuple[float, float]:
    """Return the worst and the best grade there is."""
    return float(min(found.ratings.grades)), float(max(found.ratings.grades))


def _bars(found: GradeResult) -> list[tuple[str, list[BarPart]]]:
    """The share of each grade of every arm, best arm first."""
    names = grade_names(found)
    kinds = _GRADE_KINDS[len(names)]
    return [
        (
            str(each.arm),
            [
                BarPart(kind, name, share.value or 0.0, f"{percent(share)} %")
                for kind, name, share in zip(kinds, names, each.shares.values(), strict=True)
            ],
        )
        for each in found.ratings.ratings
    ]


def _by_criterion(found: list[Any]) -> list[tuple[Any, list[Any]]]:
    """Return the result on all prompts of each criterion with those on its parts."""
    wholes: list[tuple[Any, list[Any]]] = []
    for each in found:
        if each.depth:
            wholes[-1][1].append(each)
        else:
            wholes.append((each, []))
    return wholes


def _broken(text: str) -> str:
    """A number with its interval breaks before its interval, not within."""
    return text.replace(", ", f",{_NO_BREAK}").replace(" – ", f"{_NO_BREAK}–{_NO_BREAK}")


def _standings(ranking: ArmRanking) -> list[dict[str, Any]]:
    return [
        {
            "arm": each.arm,
            "rank": each.rank or "–",
            "ranks": _broken(ranks(each.rank_low, each.rank_high)),
            "tier": each.tier or "–",
            "strength": each.unbounded
            or _broken(number(each.value, each.low, each.high, signed=True)),
            "first": f"{100 * each.rank_chances[0]:.0f}" if each.rank_chances else "–",
            "tally": f"{each.tally.win:,} / {each.tally.tie:,} / {each.tally.lose:,}",
        }
        for each in ranking.standings
    ]


def _matrix(found: GalleryResult, images: str) -> dict[str, Any]:
    """The net of each row's arm over each column's, best arm first; each leads to its images."""
    arms = [str(each.arm) for each in found.ranking.standings]
    pairs = in_matrix(found.ranking)
    rows = [
        {
            "arm": row,
            "cells": [
                _cell(pairs, row, column) | {"href": _both(images, found, row, column)}
                for column in arms
            ],
        }
        for row in arms
    ]
    return {"arms": arms, "rows": rows}


def _cell(pairs: dict[tuple[str, str], ArmPair], row: str, column: str) -> dict[str, Any]:
    pair, sign = pairs.get((row, column)), 1
    if pair is None:
        pair, sign = pairs.get((column, row)), -1
    if pair is None or pair.rates.net.value is None:
        return {"is_self": row == column, "text": "", "leads": ""}
    net = sign * pair.rates.net.value
    is_claim = pair.net_p_holm is not None and pair.net_p_holm < CLAIM
    wins = (pair.rates.win, pair.rates.lose)[::sign]
    shares = [100 * (share.value or 0.0) for share in (wins[0], pair.rates.tie, wins[1])]
    rounded = round(100 * net)
    return {
        "is_self": False,
        "text": f"{rounded:+}" if rounded else "0",
        "leads": ("row" if net > 0 else "column") if is_claim else "",
        "title": f"{row} wins {shares[0]:.1f} %, tie {shares[1]:.1f} %, {column} wins "
        f"{shares[2]:.1f} % of {pair.rates.tally.total:,}; Holm p {p_value(pair.net_p_holm)}",
    }


def _early(whole: GalleryResult | GradeResult, found: ArmLook) -> dict[str, Any]:
    return {
        "arms": f"{found.arm} – {found.other}",
        "n": found.look.sequence.n_prompts,
        "net": _broken(early_bounds(whole, found.look)),
        "says": look_in_words(found.look, str(found.arm), str(found.other)),
    }


def _by_group(found: GalleryResult | GradeResult, images: str) -> dict[str, Any]:
    """Each two arms in each group of prompts, and what of it may be claimed."""
    return {
        "says": claimed_by_group(found),
        "rows": [
            {
                "group": each.test.name,
                "kind": each.test.kind,
                "arms": f"{each.arm} – {each.other}",
                "n": each.test.rates.tally.total,
                "net": _broken(percent(each.test.rates.net, signed=True)),
                "p_holm": p_value(each.test.p_holm),
                "untested": each.test.reason,
                "href": _both(
                    images, found, each.arm, each.other, **{each.test.kind: each.test.name}
                ),
            }
            for each in sorted(found.by_group, key=lambda each: (each.test.kind, each.test.name))
        ],
    }


def _pair(found: GalleryResult, pair: ArmPair, images: str) -> dict[str, Any]:
    rates = pair.rates
    return {
        "href": _both(images, found, pair.arm, pair.other),
        "arms": f"{pair.arm} – {pair.other}",
        "n": rates.tally.total,
        "shares": [_broken(percent(each)) for each in (rates.win, rates.tie, rates.lose)],
        "net": _broken(percent(rates.net, signed=True)),
        "p_holm": p_value(pair.net_p_holm),
    }


def _graded(each: Any, names: list[str]) -> dict[str, Any]:
    return {
        "arm": each.arm,
        "rank": each.rank,
        "ranks": _broken(ranks(each.rank_low, each.rank_high)),
        "tier": each.tier or "–",
        "mean": _broken(mean_grade(each.mean)),
        "n": each.mean.n_votes,
        "shares": [
            (name, _broken(percent(share)))
            for name, share in zip(names, each.shares.values(), strict=True)
        ],
    }


def _part(found: GalleryResult | GradeResult) -> dict[str, Any]:
    arms: list[Any] = []
    if isinstance(found, GalleryResult):
        arms = [
            (each.arm, each.unbounded or number(each.value, each.low, each.high, signed=True))
            for each in found.ranking.standings
        ]
    else:
        arms = [(each.arm, mean_grade(each.mean)) for each in found.ratings.ratings]
    _, said = order_said(found)
    return {
        "prompts": row_name(found.prompts, found.depth),
        "depth": found.depth,
        "order": [(arm, _broken(text)) for arm, text in arms],
        "says": f"People {said}.",
    }


def _agreement(found: GradedAgreement) -> dict[str, Any]:
    return {
        "images": found.images,
        "percent": percent_of(found.percent),
        "alpha": coefficient(found.alpha),
        "alpha_ordinal": coefficient(found.alpha_ordinal),
        "gwet_ac1": coefficient(found.gwet_ac1),
        "kendall_w": coefficient(found.kendall_w) if found.kendall_w else "–",
        "mean_tau": coefficient(found.mean_tau) if found.mean_tau else "–",
    }
