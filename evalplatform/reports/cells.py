"""Estimates and p-values as text, the same in the terminal and on the page."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from evalplatform.reports.other_votes import Figure, OtherVotes
from evalplatform.stats import AgreementEstimate, ConfidenceSequence, Estimate, State


def percent(estimate: Estimate, *, signed: bool = False) -> str:
    """Return an estimate and its interval in per cent, or why there is none."""
    return percent_interval(
        estimate.value, estimate.low, estimate.high, estimate.state, signed=signed
    )


def percent_interval(
    value: float | None,
    low: float | None,
    high: float | None,
    state: State,
    *,
    signed: bool = False,
) -> str:
    """Return a value and its interval in per cent, or the state that says why there is neither.

    The value of one annotator, or on one prompt, describes those votes: its brackets are empty.
    """
    if value is None:
        return f"– ({state.value.replace('_', ' ')})"
    sign = "+" if signed else ""
    if low is None or high is None:
        return f"{100 * value:{sign}.1f} [–]"
    return f"{100 * value:{sign}.1f} [{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]"


def early_net(sequence: ConfidenceSequence) -> str:
    """Return the bounds of a confidence sequence in per cent."""
    return percent_interval(
        sequence.value, sequence.low, sequence.high, sequence.state, signed=True
    )


def stacked(estimate: Estimate, *, signed: bool = False) -> str:
    """Return the same on two lines: the estimate above its interval."""
    return percent(estimate, signed=signed).replace(" ", "\n", 1)


def coefficient(estimate: AgreementEstimate) -> str:
    """Return a coefficient of agreement and its interval, or why there is none."""
    if estimate.value is None:
        return f"– ({estimate.state.value.replace('_', ' ')})"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def percent_of(estimate: AgreementEstimate) -> str:
    """Return a share of agreement in per cent, with its interval where there is one."""
    if estimate.value is None:
        return f"– ({estimate.state.value.replace('_', ' ')})"
    if estimate.low is None or estimate.high is None:
        return f"{100 * estimate.value:.0f}"
    return f"{100 * estimate.value:.0f} [{100 * estimate.low:.0f}, {100 * estimate.high:.0f}]"


def other_votes_cells(found: OtherVotes) -> tuple[str, str, str]:
    """Return what is told, as reported and from the other votes."""
    name = "net %" if found.is_share else f"{found.measure} of {found.arm}"
    return (
        name,
        figure_in_words(found.as_reported, found.is_share),
        figure_in_words(found.other, found.is_share),
    )


def figure_in_words(figure: Estimate | Figure | None, is_share: bool) -> str:
    """Return a figure with its interval; of a share in per cent."""
    if figure is None or figure.value is None:
        return "–"
    if is_share:
        return percent_interval(figure.value, figure.low, figure.high, State.DEFINED, signed=True)
    if figure.low is None or figure.high is None:
        return f"{figure.value:.2f} [–]"
    return f"{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}]"


def p_value(p: float | None) -> str:
    """Return a p-value for print."""
    if p is None:
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def text_table(texts: Sequence[str], numbers: Sequence[str]) -> Table:
    """Return an empty table: columns of text, then columns of numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in texts:
        table.add_column(heading, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", overflow="fold")
    return table
