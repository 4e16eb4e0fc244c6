"""The tab with the results: win, tie and lose, orders of arms, groups of prompts."""

from typing import Any

from django.urls import reverse
from django.utils.http import urlencode

from evalplatform.core.components import BarPart, ForestRow, outcome_parts
from evalplatform.reports.cells import p_value, percent
from evalplatform.reports.criteria_beside import (
    DEFINITION,
    TURNS,
    CriteriaPair,
    OrderOfCriterion,
    Placed,
    orders_beside,
    turned_orders,
)
from evalplatform.reports.gallery_page import gallery_context, grading_context
from evalplatform.reports.orders import number, ranks
from evalplatform.reports.prompts import image_filter, row_name, row_note
from evalplatform.reports.result_types import CampaignResults, CategoryResult, GroupResult
from evalplatform.reports.table import UNTESTED, beside_cells, complete
from evalplatform.stats import Estimate, Verdicts

LEVELS = ("votes", "majority")


def results_context(
    results: CampaignResults, *, level: str = "votes", offline: bool = False
) -> dict[str, Any]:
    """Return what `reports/tabs/_results.html` shows; `level` is votes or majority."""
    images = "" if offline else images_address(results)
    return {
        "rows": [_row(group) for group in results.groups],
        "level": level if level in LEVELS else "votes",
        "duels": _duels(results, images),
        "galleries": gallery_context(results, images),
        "gradings": grading_context(results, images),
        "exploratory": _exploratory(results),
        "by_group": _by_group(results, images),
        "untested": UNTESTED,
        **_beside(results),
        "why_no_interval": results.groups[0].rates.net.reason if results.groups else "",
        "raw_ties": results.quality.raw_ties,
    }


def images_address(results: CampaignResults) -> str:
    """Return where the campaign's images are shown, to be filtered."""
    return reverse("reports:images", args=[results.campaign.slug])


def _duels(results: CampaignResults, images: str) -> list[dict[str, Any]]:
    """One a criterion: its groups as rows of a forest and as bars, of votes and of verdicts."""
    found: list[dict[str, Any]] = []
    for group in results.groups:
        if not found or found[-1]["criterion"] != group.criterion_label:
            found.append({"criterion": group.criterion_label, "k": group.k, "groups": []})
        found[-1]["groups"].append(group)
    return [each | _levels(each["groups"], images) for each in found]


def _levels(groups: list[GroupResult], images: str) -> dict[str, Any]:
    voted = [each for each in groups if each.rates.tally.total]
    decided = [each for each in groups if each.verdicts.tally.total]
    return {
        "votes": [net_row(each, images) for each in voted],
        "majority": [net_row(each, images, of_verdicts=True) for each in decided],
        "vote_bars": [(row_name(each.prompts, each.depth), vote_bar(each)) for each in voted],
        "majority_bars": [
            (row_name(each.prompts, each.depth), verdict_bar(each)) for each in decided
        ],
    }


def net_row(group: GroupResult, images: str = "", *, of_verdicts: bool = False) -> ForestRow:
    """Return a group's net preference as a row of a forest.

    `images` is the address of the campaign's images, to which the row leads; empty: nowhere.
    """
    source = group.verdicts if of_verdicts else group.rates
    net = source.net
    n = complete(group.verdicts) if of_verdicts else f"{group.rates.tally.total:,}"
    wanted = image_filter(group.prompts, group.depth)
    return _forest_row(
        row_name(group.prompts, group.depth), net, depth=group.depth, n=n,
        note=row_note(group.prompts, group.depth),
        href="" if wanted is None else _filtered(images, wanted | {"criterion": group.criterion}),
    )  # fmt: skip


def _filtered(images: str, wanted: dict[str, str]) -> str:
    return f"{images}?{urlencode(wanted)}" if images else ""


def _forest_row(label: str, net: Estimate, **more: Any) -> ForestRow:
    text = percent(net, signed=True)
    return ForestRow(label, net.value, net.low, net.high, text, **more)


def vote_bar(group: GroupResult) -> list[BarPart]:
    """Return the shares of a group's votes."""
    return _shares(group.rates, ("win", "tie", "lose"))


def verdict_bar(group: GroupResult) -> list[BarPart]:
    """Return the shares of a group's verdicts."""
    return _shares(group.verdicts, ("win", "tie", "no_majority", "lose"))


def _shares(source: Any, names: tuple[str, ...]) -> list[BarPart]:
    tally = source.tally
    share = {name: getattr(tally, name) / tally.total for name in names}
    parts = outcome_parts(share["win"], share["tie"], share["lose"], share.get("no_majority"))
    return [
        BarPart(part.kind, part.name, part.share, f"{percent(getattr(source, name))} %")
        for part, name in zip(parts, names, strict=True)
    ]


def _by_group(results: CampaignResults, images: str) -> list[dict[str, Any]]:
    """One forest a criterion and kind of group, each row leading to the images behind it."""
    found: dict[tuple[str, str], list[ForestRow]] = {}
    for each in results.categories:
        rows = found.setdefault((each.criterion_label, each.test.kind), [])
        rows.append(_group_row(each, images))
    return [
        {
            "title": f"{criterion}, by {kind}",
            "first": kind.capitalize(),
            "rows": sorted(rows, key=_falling),
        }
        for (criterion, kind), rows in found.items()
    ]


def _beside(results: CampaignResults) -> dict[str, Any]:
    """Every two criteria beside each other, and where arms stand in each."""
    orders = orders_beside(results.galleries, results.gradings)
    return {
        "beside_pairs": [_beside_row(each) for each in results.criteria_beside],
        "beside_rows": [
            ForestRow(
                f"{each.first_label} – {each.second_label}", found.value, found.low, found.high,
                beside_cells(each)[2], n=f"{found.first.n_votes + found.second.n_votes:,}",
            )
            for each in results.criteria_beside
            if (found := each.difference).value is not None
        ],
        "beside_orders": _orders_table(results, orders) if orders else None,
        "beside_turns": list(turned_orders(orders)),
        "beside_definition": DEFINITION,
        "turns_definition": TURNS,
    }  # fmt: skip


def _beside_row(each: CriteriaPair) -> dict[str, Any]:
    first, second, difference, p = beside_cells(each)
    found = each.difference
    return {
        "criteria": f"{each.first_label} – {each.second_label}",
        "first": first,
        "second": second,
        "difference": difference,
        "p": p,
        "shared": f"{found.n_shared_prompts:,}, {found.n_shared_annotators:,}",
        "says": each.sentence,
        "reason": found.reason,
    }


def _orders_table(results: CampaignResults, orders: list[OrderOfCriterion]) -> dict[str, Any]:
    heads = [f"{each.label}, {each.measure}" for each in orders]
    rows = [
        {
            "arm": arm.letter,
            "name": arm.name,
            "cells": [
                {"head": head} | _placed(each.arms.get(arm.letter), each.measure == "strength")
                for head, each in zip(heads, orders, strict=True)
            ],
        }
        for arm in results.campaign.contenders
    ]
    return {"heads": heads, "rows": rows}


def _placed(placed: Placed | None, signed: bool) -> dict[str, str]:
    if placed is None or placed.value is None:
        return {"text": "–", "ranks": ""}
    text = number(placed.value, placed.low, placed.high, signed=signed)
    known = placed.rank_low is not None
    return {"text": text, "ranks": ranks(placed.rank_low, placed.rank_high) if known else ""}


def _falling(row: ForestRow) -> float:
    return -row.value if row.value is not None else 2.0


def _group_row(each: CategoryResult, images: str) -> ForestRow:
    test = each.test
    href = _filtered(images, {test.kind: test.name, "criterion": each.criterion})
    note = f"Holm p {p_value(test.p_holm)}" if test.p_holm is not None else ""
    n = f"{test.rates.tally.total:,}"
    return _forest_row(test.name, test.rates.net, n=n, note=note, href=href)


def _exploratory(results: CampaignResults) -> list[dict[str, Any]]:
    return [
        {
            "criterion": each.criterion_label,
            "kind": each.test.kind,
            "name": each.test.name,
            "n": each.test.rates.tally.total,
            "net": percent(each.test.rates.net, signed=True),
            "p": p_value(each.test.p_value),
            "p_holm": p_value(each.test.p_holm),
            "untested": each.test.reason,
        }
        for each in results.categories
    ]


def _cell(estimate: Estimate, *, signed: bool = False) -> str:
    """Return an estimate for a table: on a phone it breaks before its interval, not within."""
    return percent(estimate, signed=signed).replace(", ", ",\N{NO-BREAK SPACE}")


def _verdict_cells(verdicts: Verdicts) -> dict[str, str]:
    parts = ("win", "tie", "no_majority", "lose")
    if not verdicts.tally.total:
        return dict.fromkeys(parts, "–")
    return {part: _cell(getattr(verdicts, part)) for part in parts}


def _row(group: GroupResult) -> dict[str, Any]:
    return {
        "criterion": group.criterion_label,
        "prompts": row_name(group.prompts, group.depth),
        "depth": group.depth,
        "k": group.k,
        "votes": {part: _cell(getattr(group.rates, part)) for part in ("win", "tie", "lose")},
        "votes_n": group.rates.tally.total,
        "net": _cell(group.rates.net, signed=True),
        "p": p_value(group.test.p_value),
        "verdicts": _verdict_cells(group.verdicts),
        "verdicts_n": complete(group.verdicts),
        "verdicts_net": (
            _cell(group.verdicts.net, signed=True) if group.verdicts.tally.total else "–"
        ),
        "method": group.rates.win.method,
    }
