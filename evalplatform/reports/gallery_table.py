"""The orders of arms as text, for the terminal."""

from rich.console import Console

from evalplatform.campaigns.forms import form_named
from evalplatform.core.words import counted
from evalplatform.reports.cells import p_value, percent, text_table
from evalplatform.reports.gallery import GalleryResult, GradeResult
from evalplatform.reports.orders import (
    claimed_by_group,
    early_bounds,
    early_measure,
    look_in_words,
    mean_grade,
    number,
    ranks,
    robustness_in_words,
    unbounded_in_words,
)
from evalplatform.reports.result_types import CampaignResults
from evalplatform.stats import ArmRanking
from evalplatform.stats.pairs.sequential import ASSUMES

STRENGTHS_NOTE = (
    "Strength: how much an arm is preferred, in natural log units of the odds to be preferred, "
    "mean 0 (x 173.7: Elo points). Brackets: 95 % intervals for other prompts judged by other "
    "annotators. Ranks: all that hold at once at 95 %. Arms of one tier are not told apart from "
    "its best. Holm p: of net = 0, adjusted for all pairs of arms."
)
EARLY_NOTE = (
    "Those bounds of two arms may be read at every look, and hold for all pairs of arms at once."
)
GRADES_NOTE = (
    "Mean: of grades, whose steps are taken as equal. Brackets: 95 % intervals for other prompts "
    "graded by other annotators. Ranks: all that hold at once at 95 %."
)


def print_orders(console: Console, results: CampaignResults) -> None:
    """Print the order of the arms on each criterion that is no pair of two arms."""
    for each in results.galleries:
        print_gallery(console, each)
    if results.galleries:
        console.print(STRENGTHS_NOTE)
    for graded in results.gradings:
        print_grades(console, graded)
    if results.gradings:
        console.print(GRADES_NOTE)


def print_gallery(console: Console, found: GalleryResult) -> None:
    """Print strengths and ranks; of all prompts also every pair, and what it depends on."""
    ranking = found.ranking
    console.print(f"\n{found.criterion_label}, {found.prompts}: {_counts(ranking)}")
    _print_standings(console, ranking)
    for line in unbounded_in_words(ranking):
        console.print(line)
    if ranking.interval_reason:
        console.print(f"[–]: no interval. {ranking.interval_reason}", markup=False)
    if not found.depth:
        _print_pairs(console, ranking)
        _print_early(console, found)
        for line in claimed_by_group(found):
            console.print(f"By category and challenge. {line}", markup=False)
        for line in robustness_in_words(ranking.robustness):
            console.print(line)


def _print_early(console: Console, found: GalleryResult | GradeResult) -> None:
    """Print what may be read of each two arms before the last vote."""
    for each in found.early:
        said = look_in_words(each.look, str(each.arm), str(each.other))
        console.print(
            f"By these annotators, {each.arm} – {each.other}: {early_measure(found)} "
            f"{early_bounds(found, each.look)} on {each.look.sequence.n_prompts:,} complete "
            f"prompts; {said}.",
            markup=False,
        )
    if found.early:
        console.print(f"{EARLY_NOTE} {ASSUMES}")


def _counts(ranking: ArmRanking) -> str:
    votes = counted(ranking.n_votes, "vote")
    if ranking.n_comparisons != ranking.n_votes:
        votes += f" with {counted(ranking.n_comparisons, 'comparison')} of two arms"
    return (
        f"{votes} on {counted(ranking.n_prompts, 'prompt')} by "
        f"{counted(ranking.n_annotators, 'annotator')}"
    )


def _print_standings(console: Console, ranking: ArmRanking) -> None:
    table = text_table(
        ("rank", "arm"), ("ranks at\n95 %", "tier", "strength", "first, %", "won", "tied", "lost")
    )
    for each in ranking.standings:
        first = f"{100 * each.rank_chances[0]:.0f}" if each.rank_chances else "–"
        strength = each.unbounded or number(each.value, each.low, each.high, signed=True)
        table.add_row(
            str(each.rank or "–"), str(each.arm), ranks(each.rank_low, each.rank_high),
            str(each.tier or "–"), strength, first,
            f"{each.tally.win:,}", f"{each.tally.tie:,}", f"{each.tally.lose:,}",
        )  # fmt: skip
    console.print(table)


def _print_pairs(console: Console, ranking: ArmRanking) -> None:
    table = text_table(
        ("arms",), ("n", "first wins %", "tie %", "second wins %", "net %", "Holm p")
    )
    for pair in ranking.pairs:
        rates = pair.rates
        table.add_row(
            f"{pair.arm} – {pair.other}", f"{rates.tally.total:,}",
            *(f"{100 * (share.value or 0):.1f}" for share in (rates.win, rates.tie, rates.lose)),
            percent(rates.net, signed=True), p_value(pair.net_p_holm),
        )  # fmt: skip
    console.print(table)


def print_grades(console: Console, found: GradeResult) -> None:
    """Print mean grades, ranks and the share of each grade."""
    ratings = found.ratings
    console.print(
        f"\n{found.criterion_label}, {found.prompts}: {ratings.n_votes:,} grades of "
        f"{counted(ratings.n_items, 'image')} by {counted(ratings.n_annotators, 'annotator')}"
    )
    table = text_table(
        ("rank", "arm"),
        ("ranks at\n95 %", "tier", "mean", "n", *(f"{name} %" for name in grade_names(found))),
    )
    for each in ratings.ratings:
        table.add_row(
            str(each.rank), str(each.arm), ranks(each.rank_low, each.rank_high),
            str(each.tier or "–"), mean_grade(each.mean), f"{each.mean.n_votes:,}",
            *(f"{100 * (share.value or 0):.0f}" for share in each.shares.values()),
        )  # fmt: skip
    console.print(table)
    if ratings.reason:
        console.print(f"[–]: no interval. {ratings.reason}", markup=False)
    _print_early(console, found)
    for line in claimed_by_group(found):
        console.print(f"By category and challenge. {line}", markup=False)


def grade_names(found: GradeResult) -> list[str]:
    """Return what each grade is called, worst first: the answer that gives it."""
    shape = form_named(found.form)
    names = {shape.grades(button, (0,))[0]: button for button in shape.buttons}
    return [names[grade] for grade in found.ratings.grades]
