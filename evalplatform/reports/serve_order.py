"""What the place and the time of showing move, of every form: for pages, table, JSON and CSV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evalplatform import stats
from evalplatform.campaigns.rules import Start
from evalplatform.reports.cells import p_value, percent, percent_interval
from evalplatform.reports.gallery import GalleryResult, GradeResult
from evalplatform.reports.orders import CLAIM, listed, number
from evalplatform.reports.result_types import CampaignResults, CriterionOrder

_DASH = "–"
SAME_START = (
    "All annotators begin at the same item, so the halves are of different prompts, and early "
    "against late cannot be told apart from these."
)


@dataclass(frozen=True)
class HalvesRow:
    """A figure in the first and in the second half of each annotator's votes, as text."""

    criterion: str
    figure: str
    first: str
    second: str
    difference: str = _DASH
    p: str = _DASH


@dataclass(frozen=True)
class PlaceRow:
    """What one place of showing does for an image, as text."""

    criterion: str
    place: str
    net: str
    p: str


def _wholes(results: CampaignResults) -> list[GalleryResult | GradeResult]:
    found: list[GalleryResult | GradeResult] = [*results.galleries, *results.gradings]
    return [each for each in found if not each.depth]


def halves_rows(results: CampaignResults) -> list[HalvesRow]:
    """Return early beside late votes on each criterion: nets and ties, or mean grades."""
    adjusted = _adjusted(results)
    rows = [
        row
        for each in results.order_effects
        for row in _of_two_arms(each, adjusted.get(each.criterion))
    ]
    for whole in _wholes(results):
        if whole.drift:
            rows += _of_drift(whole.criterion_label, whole.drift)
    return rows


def _of_two_arms(found: CriterionOrder, adjusted: float | None) -> Iterator[HalvesRow]:
    net, effect, label = found.effect.net, found.effect, found.criterion_label
    yield HalvesRow(
        label,
        "Net of A over B, %",
        percent(net.first, signed=True),
        percent(net.second, signed=True),
        percent_interval(net.value, net.low, net.high, net.state, signed=True),
        p_value(adjusted),
    )
    yield HalvesRow(label, "Ties, %", percent(effect.ties_first), percent(effect.ties_second))


def _of_drift(label: str, drift: stats.ArmsDrift) -> Iterator[HalvesRow]:
    for each in drift.arms:
        yield _percent_row(label, f"Net of {each.arm} over the others, %", each, "+")
    if drift.ties:
        yield _percent_row(label, "Ties, %", drift.ties, "")
    if drift.grades:
        found = drift.grades.difference
        yield HalvesRow(
            label,
            "Mean grade",
            f"{drift.grades.first:.2f}",
            f"{drift.grades.second:.2f}",
            number(found.value, found.low, found.high, signed=True),
            p_value(found.p_holm),
        )


def _percent_row(label: str, figure: str, shift: stats.Shift, sign: str) -> HalvesRow:
    first, second = (f"{100 * each:{sign}.1f}" for each in (shift.first, shift.second))
    found = shift.difference
    return HalvesRow(label, figure, first, second, contrast_text(found), p_value(found.p_holm))


def contrast_text(found: stats.MeanContrast) -> str:
    """Return a contrast of shares and its interval in per cent."""
    return percent_interval(found.value, found.low, found.high, found.state, signed=True)


def place_rows(results: CampaignResults) -> list[PlaceRow]:
    """Return each place of showing of the galleries."""
    return [
        PlaceRow(
            whole.criterion_label, _name(each), contrast_text(each.net), p_value(each.net.p_holm)
        )
        for whole, places in _places(results)
        for each in places.places
    ]


def _places(results: CampaignResults) -> list[tuple[GalleryResult, stats.PlaceEffect]]:
    return [(each, each.places) for each in results.galleries if not each.depth and each.places]


def _name(each: stats.PlaceNet) -> str:
    return "left of two" if each.images == 2 else f"{each.place} of {each.images}"


def serve_order_in_words(results: CampaignResults) -> list[str]:
    """Say of each criterion what the place and the time of showing move beyond chance."""
    adjusted = _adjusted(results)
    said = [
        f"{each.criterion_label}: "
        f"{_two_arms_in_words(each.effect, adjusted.get(each.criterion), len(adjusted))}"
        for each in results.order_effects
    ]
    for whole in _wholes(results):
        if isinstance(whole, GalleryResult) and whole.places:
            said.append(f"{whole.criterion_label}: {places_in_words(whole.places)}")
        if whole.drift:
            said.append(f"{whole.criterion_label}: {drift_in_words(whole.drift)}")
    if _has_halves(results) and results.campaign.checked_rules.annotation.start is Start.FIRST:
        said.append(SAME_START)
    return said


def _has_halves(results: CampaignResults) -> bool:
    return bool(results.order_effects) or any(whole.drift for whole in _wholes(results))


def _adjusted(results: CampaignResults) -> dict[str, float]:
    """Holm's p of two arms' halves over the criteria that have a p, by criterion."""
    found = {each.criterion: each.effect.net.p_value for each in results.order_effects}
    tested = {name: p for name, p in found.items() if p is not None}
    return dict(zip(tested, stats.holm(list(tested.values())).tolist(), strict=True))


def _two_arms_in_words(effect: stats.OrderEffect, adjusted: float | None, criteria: int) -> str:
    net = effect.net
    if adjusted is None:
        return f"nothing is told of early beside late votes. {net.reason}"
    told = percent_interval(net.value, net.low, net.high, net.state, signed=True)
    # With its p: the interval is of this criterion alone, and may not hold 0 where that does.
    text = (
        f"the net of the first half of each annotator's votes less that of the second, {told} %, "
        f"{'Holm p' if criteria > 1 else 'p'} {p_value(adjusted)}"
    )
    if adjusted < CLAIM:
        return f"people prefer otherwise later: {text}."
    return f"preferences do not move beyond chance in the course of the work: {text}."


def places_in_words(effect: stats.PlaceEffect) -> str:
    """Say whether where an image stands moves what people say of it."""
    largest = effect.largest
    if largest is None:
        reason = effect.reason or (effect.places[0].net.reason if effect.places else "")
        return f"nothing is told of places of showing. {reason}"
    moved = [each for each in effect.places if _is_claim(each.net)]
    if moved:
        return (
            "where an image stands moves what people say of it: "
            + "; ".join(f"{_name(each)}, {_net_in_words(each.net)}" for each in moved)
            + f". {_evenness_in_words(effect)}"
        )
    return (
        "where an image stands does not move what people say of it beyond chance; furthest from 0 "
        f"is {_name(largest)}, {_net_in_words(largest.net)}."
    )


def _evenness_in_words(effect: stats.PlaceEffect) -> str:
    """Say whom a place that matters favours."""
    found = effect.least_even
    assert found is not None  # some place was moved
    if found.is_even:
        return "Every arm stands at every place about equally often, so this favours none."
    where = "left" if (found.images, found.place) == (2, 1) else f"{found.place} of {found.images}"
    sets = "1 set" if found.n_sets == 1 else f"{found.n_sets} sets"
    stands = (
        f"{found.arm} is {where} in {100 * found.share:.0f} % of its {sets} of "
        f"{found.images}, where {100 / found.images:.0f} % would be even."
    )
    if not found.is_uneven:
        return f"Whether it favours some arms cannot be told yet from so few sets: {stands}"
    return f"Arms do not stand everywhere equally often, so it favours some: {stands}"


def _is_claim(found: stats.MeanContrast) -> bool:
    return found.p_holm is not None and found.p_holm < CLAIM


def _net_in_words(found: stats.MeanContrast) -> str:
    return f"net {contrast_text(found)} %, Holm p {p_value(found.p_holm)}"


def drift_in_words(drift: stats.ArmsDrift) -> str:
    """Say whether arms, ties or grades are judged otherwise later in an annotator's work."""
    figures: list[tuple[str, stats.MeanContrast]] = [
        (f"the net of {each.arm}", each.difference) for each in drift.arms
    ]
    figures += [("ties", drift.ties.difference)] if drift.ties else []
    grades = drift.grades.difference if drift.grades else None
    tested = [each for _, each in figures if each.p_value is not None]
    if grades and grades.p_value is not None:
        tested.append(grades)
    if not tested:
        reasons = [each.reason for _, each in figures] + ([grades.reason] if grades else [])
        return f"nothing is told of early beside late votes. {next(iter(reasons), '')}"
    moved = [
        f"{name} {'falls' if each.value > 0 else 'rises'} by {_size(each)}"
        for name, each in figures
        if _is_claim(each)
    ]
    if grades and _is_claim(grades):
        fall = "fall" if grades.value > 0 else "rise"
        size = number(abs(grades.value), *_turned(grades), signed=False)
        moved.append(f"grades {fall} by {size}, for all arms alike")
    if moved:
        return f"from the first to the second half of each annotator's votes {listed(moved)}."
    return "answers do not move beyond chance from early to late in an annotator's work."


def _size(found: stats.MeanContrast) -> str:
    low, high = _turned(found)
    return f"{percent_interval(abs(found.value), low, high, found.state)} points"


def _turned(found: stats.MeanContrast) -> tuple[float | None, float | None]:
    """The interval of the size of a difference, whichever way it is."""
    if found.low is None or found.high is None or found.value > 0:
        return found.low, found.high
    return -found.high, -found.low


def order_json(found: GalleryResult | GradeResult) -> dict[str, Any]:
    """Return it for `results.json`."""
    places = found.places if isinstance(found, GalleryResult) else None
    return {"places": stats.plain(places), "halves": stats.plain(found.drift)}


def order_records(results: CampaignResults) -> Iterator[dict[str, Any]]:
    """Yield rows of groups.csv: "net_drift" (first less second half), "net_of_place_1_of_4"."""
    names = {arm.letter: arm.name for arm in results.campaign.contenders}
    adjusted = _adjusted(results)
    for each in results.order_effects:
        yield _record(each.criterion, "net_drift", vars(each.effect.net)) | {
            "p_value": each.effect.net.p_value,
            "p_holm": adjusted.get(each.criterion, ""),
        }
    for whole in _wholes(results):
        for name, arm, found, drawn in _figures(whole):
            named = {"arm": names.get(arm, ""), "other": ""}
            yield _record(whole.criterion, name, vars(found)) | _vars_of(drawn) | named


def _figures(
    whole: GalleryResult | GradeResult,
) -> Iterator[tuple[str, str, stats.MeanContrast, stats.ArmsDrift | stats.PlaceEffect]]:
    """Each figure's name, its arm or "", what it is, and of which result."""
    places = whole.places if isinstance(whole, GalleryResult) else None
    for place in places.places if places else ():
        assert places
        yield f"net_of_place_{place.place}_of_{place.images}", "", place.net, places
    drift = whole.drift
    if drift is None:
        return
    for each in drift.arms:
        yield "net_drift", str(each.arm), each.difference, drift
    for name, shift in (("tie_drift", drift.ties), ("mean_grade_drift", drift.grades)):
        if shift:
            yield name, "", shift.difference, drift


def _vars_of(found: stats.ArmsDrift | stats.PlaceEffect) -> dict[str, Any]:
    """What all figures of a result have in common."""
    return {"level": found.level, "method": found.method}


def _record(criterion: str, measure: str, values: dict[str, Any]) -> dict[str, Any]:
    told = {key: "" if value is None else value for key, value in values.items()}
    return {"criterion": criterion, "by": "prompts", "name": "", **told, "measure": measure}
