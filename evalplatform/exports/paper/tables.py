"""The tables of a paper pack: the numbers of results.json, for booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from evalplatform.exports.paper.latex import bounds, latex, number, percent
from evalplatform.reports.gallery import GalleryResult, GradeResult
from evalplatform.reports.orders import ranks
from evalplatform.reports.other_votes import Figure
from evalplatform.reports.prompts import row_name
from evalplatform.reports.result_types import CampaignResults, GroupResult
from evalplatform.stats import ArmRating, Estimate, Standing, WinRates

_TIERS = "Arms of one tier are not told apart from its best."
_NET = r"net (A $-$ B)"
_OF_A_ROW = re.compile(r"[\d.]+(?:e\+\d+)?(?= df\b| % of the variance)")


def tables(results: CampaignResults) -> dict[str, str]:
    """Return each table by the name of its file; without a vote there is none."""
    found = {}
    if results.groups:
        found["win-tie-lose"] = _groups(results)
        found["verdicts"] = _verdicts(results)
    if any(each.test.p_value is not None for each in results.categories):
        found["categories"] = _categories(results)
    if results.galleries:
        found["strengths"] = _strengths(results)
        found["pairs"] = _pairs(results)
    if results.gradings:
        found["grades"] = _grades(results)
    if results.with_excluded:
        found["with-excluded"] = _with_excluded(results)
    return found


def _table(columns: str, heads: Sequence[str], rows: Sequence[str], caption: str, name: str) -> str:
    return "\n".join([
        r"\begin{table}[htbp]", r"\centering\small\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{caption}}}",
        rf"\label{{tab:{name}}}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule",
        " & ".join(heads) + r" \\", r"\midrule", *rows, r"\bottomrule", r"\end{tabular}",
        r"\end{table}", "",
    ])  # fmt: skip


def _row(*cells: str) -> str:
    return " & ".join(cells) + r" \\"


def _wrapped(text: str, width: float) -> str:
    """Text of others as a cell: in several lines of a share of the page's width where it is long.

    Without a package of its own, as the author's paper may not load it.
    """
    cell = latex(text)
    if len(text) <= 24 and len(cell) <= 40:
        return cell
    cell = cell.replace(r"\_", r"\_\allowbreak{}").replace("][", r"]\allowbreak{}[")
    return rf"\parbox[t]{{{width}\linewidth}}{{\raggedright {cell}\strut}}"


def _rates(rates: WinRates) -> list[str]:
    net = rates.net
    return [
        percent(rates.win.value), percent(rates.tie.value), percent(rates.lose.value),
        f"{percent(net.value, sign=True)} {bounds(net.low, net.high, 100, 1)}",
    ]  # fmt: skip


def _prompts(group: GroupResult | GalleryResult | GradeResult) -> str:
    """The rows of papers: All, and what is part of it below."""
    return r"\quad " * min(group.depth, 2) + latex(row_name(group.prompts, group.depth))


def _groups(results: CampaignResults) -> str:
    rows: list[str] = []
    criterion = ""
    for group in results.groups:
        if group.criterion != criterion:
            rows += [r"\addlinespace"] * bool(rows)
            criterion = group.criterion
            rows.append(rf"\multicolumn{{7}}{{l}}{{\emph{{{latex(group.criterion_label)}}}}} \\")
        rows.append(_row(
            _prompts(group), number(group.rates.net.n_prompts, 0),
            number(group.rates.net.n_votes, 0), *_rates(group.rates),
        ))  # fmt: skip
    level = 100 * results.groups[0].rates.level
    return _table(
        "@{}lrrrrrr@{}",
        ["prompts", "$n$ prompts", "votes", r"win \%", r"tie \%", r"lose \%", rf"{_NET} \%"],
        rows,
        rf"Votes for A, ties, and votes for B, per cent of votes. In brackets: {level:g}\,\% "
        "interval of the net preference. "
        f"{_method(each.rates.net.method for each in results.groups)}"
        f"{legend(results)}{_stamp(results)}",
        "win-tie-lose",
    )


def _method(methods: Iterable[str]) -> str:
    """How the intervals of all rows were made: what differs from row to row from least to most."""
    found: dict[str, list[list[str]]] = {}
    for each in methods:
        if each != "none":
            numbers = _OF_A_ROW.findall(each)
            found.setdefault(_OF_A_ROW.sub("{}", each), []).append(numbers)
    said = [
        latex(words.format(*(_least_to_most(each) for each in zip(*numbers, strict=True))))
        for words, numbers in found.items()
    ]
    return f"Intervals: {'. In some rows: '.join(said)}. " if said else ""


def _least_to_most(numbers: Sequence[str]) -> str:
    least, most = min(numbers, key=float), max(numbers, key=float)
    return least if least == most else f"{least} to {most}"


def _level(results: CampaignResults) -> str:
    return rf"{100 * results.level:g}\,\%"


def legend(results: CampaignResults) -> str:
    """Say which arm each letter is, for a caption."""
    arms = (f"{each.letter}: {latex(each.name)}" for each in results.campaign.contenders)
    return f"{'; '.join(arms)}."


def _verdicts(results: CampaignResults) -> str:
    rows = []
    for group in results.groups:
        found = group.verdicts
        interval = bounds(found.net.low, found.net.high, 100, 1)
        shares = (found.win, found.tie, found.no_majority, found.lose)
        rows.append(_row(
            _wrapped(group.criterion_label, 0.16), _prompts(group), number(found.net.n_votes, 0),
            *(percent(each.value) for each in shares),
            f"{percent(found.net.value, sign=True)} {interval}",
        ))  # fmt: skip
    return _table(
        "@{}llrrrrrr@{}",
        ["criterion", "prompts", "items", r"A \%", r"tie \%", r"none \%", r"B \%", rf"{_NET} \%"],
        rows,
        "What more than half of the $k$ votes on an item say; none: no majority. "
        f"Items with fewer than $k$ votes are left out. In brackets: {_level(results)} interval. "
        f"{legend(results)}{_stamp(results)}",
        "verdicts",
    )


def _categories(results: CampaignResults) -> str:
    rows: list[str] = []
    criterion = ""
    for each in results.categories:
        test = each.test
        if each.criterion_label != criterion:
            rows += [r"\addlinespace"] * bool(rows)
            criterion = each.criterion_label
            rows.append(rf"\multicolumn{{8}}{{l}}{{\emph{{{latex(criterion)}}}}} \\")
        rows.append(_row(
            _wrapped(f"{test.kind}: {test.name}", 0.28),
            number(test.rates.net.n_votes, 0), *_rates(test.rates),
            number(test.p_value, 3), number(test.p_holm, 3),
        ))  # fmt: skip
    return _table(
        "@{}lrrrrrrr@{}",
        ["group", "votes", r"win \%", r"tie \%", r"lose \%", rf"{_NET} \%", "$p$",
         r"$p_\mathrm{Holm}$"],
        rows,
        "Groups of prompts: exploratory. $p$: no preference in this group; adjusted by Holm over "
        f"all groups of a criterion. In brackets: {_level(results)} interval. "
        f"{legend(results)}{_stamp(results)}",
        "categories",
    )  # fmt: skip


def _strengths(results: CampaignResults) -> str:
    rows = []
    for found in results.galleries:
        for each in found.ranking.standings:
            rows.append(_row(
                _wrapped(found.criterion_label, 0.16), _prompts(found),
                _wrapped(str(each.arm), 0.2), number(each.value, 2, sign=True),
                bounds(each.low, each.high, 1, 2),
                _rank_set(each), number(each.n_votes, 0), _wrapped(each.unbounded, 0.16),
            ))  # fmt: skip
    return _table(
        "@{}lllrrlrl@{}",
        [
            "criterion",
            "prompts",
            "arm",
            "strength",
            rf"{_level(results)} interval",
            "ranks",
            "votes",
            "note",
        ],
        rows,
        "Strengths in natural log units, mean 0 (times 173.7: Elo points). Ranks: those each arm "
        f"may have, for all arms at once at {_level(results)}. "
        f"{_method(each.ranking.method for each in results.galleries)}"
        f"{legend(results)}{_stamp(results)}",
        "strengths",
    )


def _pairs(results: CampaignResults) -> str:
    """Every two arms that met, on all prompts of each criterion."""
    rows = [
        _row(
            _wrapped(found.criterion_label, 0.16),
            _wrapped(f"{each.arm} : {each.other}", 0.24),
            number(each.rates.net.n_votes, 0),
            *_rates(each.rates),
            number(each.net_p_holm, 3),
        )
        for found in results.galleries
        if not found.depth
        for each in found.ranking.pairs
    ]
    return _table(
        "@{}llrrrrrr@{}",
        ["criterion", "arms", "votes", r"win \%", r"tie \%", r"lose \%", r"net \%",
         r"$p_\mathrm{Holm}$"],
        rows,
        "Each two arms that met, seen from the first, per cent of votes. In brackets: "
        f"{_level(results)} interval of the net preference. $p$: no preference between them, "
        f"adjusted by Holm over all of them. {legend(results)}{_stamp(results)}",
        "pairs",
    )  # fmt: skip


def _rank_set(standing: Standing | ArmRating) -> str:
    return latex(ranks(standing.rank_low, standing.rank_high))


def _grades(results: CampaignResults) -> str:
    rows = []
    for found in results.gradings:
        for each in found.ratings.ratings:
            rows.append(_row(
                latex(found.criterion_label), _prompts(found), latex(each.arm),
                number(each.mean.value, 2),
                bounds(each.mean.low, each.mean.high, 1, 2, sign=False),
                _rank_set(each), number(each.tier, 0), number(each.mean.n_votes, 0),
            ))  # fmt: skip
    return _table(
        "@{}lllrrlrr@{}",
        [
            "criterion",
            "prompts",
            "arm",
            "mean grade",
            rf"{_level(results)} interval",
            "ranks",
            "tier",
            "votes",
        ],
        rows,
        "Mean grades. Ranks: those each arm may have, for all arms at once at "
        f"{_level(results)}. {_TIERS} {_method(each.ratings.method for each in results.gradings)}"
        f"{legend(results)}{_stamp(results)}",
        "grades",
    )


def _with_excluded(results: CampaignResults) -> str:
    rows = []
    for each in results.with_excluded:
        cells = [_figure(one, each.is_share) for one in (each.as_reported, each.other)]
        figure = r"net \%" if each.is_share else latex(f"{each.measure} of {each.arm}")
        rows.append(_row(latex(each.criterion_label), latex(each.prompts), figure,
                         number(each.votes, 0), *cells))  # fmt: skip
    return _table(
        "@{}lllrrr@{}",
        ["criterion", "prompts", "figure", "votes excluded", "without", "with"],
        rows,
        "Results without and with the votes that were excluded. In brackets: "
        f"{_level(results)} interval. {legend(results)}{_stamp(results)}",
        "with-excluded",
    )


def _figure(found: Estimate | Figure | None, is_share: bool) -> str:
    if found is None or found.value is None:
        return "--"
    if is_share:
        return f"{percent(found.value, sign=True)} {bounds(found.low, found.high, 100, 1)}"
    return f"{number(found.value, 2)} {bounds(found.low, found.high, 1, 2, sign=False)}"


def _stamp(results: CampaignResults) -> str:
    notes = [each for each in (results.simulated_stamp, results.imported_stamp) if each]
    return "".join(rf" \textbf{{{latex(each)}}}" for each in notes)
