"""What the demo says of its simulated annotators: beside their ceiling, and beside people."""

from evalplatform.checkpoints.models import Checkpoint
from evalplatform.reports.cells import percent
from evalplatform.reports.result_types import CampaignResults, GroupResult
from evalplatform.simulation import people
from evalplatform.simulation.group import Ceiling, Group
from evalplatform.simulation.tastes import CURATORS
from evalplatform.stats import WinRates

_BY_CRITERION = {
    "visual_appeal": ("appeal", "a picked drawing against another one of the same thing"),
    "text_faithfulness": ("faithfulness", "a drawing of the thing named against one of another"),
}


def rehearsal_lines(
    results: CampaignResults, group: Group, ceiling: Ceiling, tuned: Checkpoint
) -> list[str]:
    """Return what stands beside the demo's table, a line each."""
    whole = [each for each in results.groups if each.depth == 0]
    quality = results.quality
    told = group.right_on_held_out()
    return [
        f"Votes by {CURATORS}.",
        f"They tell picked drawings of things they did not learn from in {_percent(told)}.",
        *(line for each in whole for line in _beside_ceiling(each, ceiling)),
        *(_beside_people(each) for each in whole),
        f"repeats answered alike: {quality.repeats_of_all}; gold right: {quality.gold_of_all}",
        copied_share(tuned),
    ]


def _beside_ceiling(group: GroupResult, ceiling: Ceiling) -> list[str]:
    name, meaning = _BY_CRITERION[group.criterion]
    most: WinRates | None = getattr(ceiling, name)
    found = f"{group.criterion_label}: net {percent(group.rates.net, signed=True)} %"
    if most is None:
        return [found]
    return [f"{found}; on real drawings {percent(most.net, signed=True)} % ({meaning})"]


def _beside_people(group: GroupResult) -> str:
    alpha, ties = group.agreement.alpha.value, group.rates.tie.value
    return (
        f"{group.criterion_label}: nominal alpha {'–' if alpha is None else f'{alpha:.2f}'} "
        f"(people rating images: {people.ALPHA[0]:.2f} to {people.ALPHA[1]:.2f}), ties "
        f"{_percent(ties)} (people: {_percent(people.TIES[0])} to {_percent(people.TIES[1])})"
    )


def copied_share(tuned: Checkpoint) -> str:
    """Return where tuning stopped, and how much of what it draws is copied."""
    stopped = tuned.training["early_stopping"]
    why = "by its rule"
    if stopped["none_fits"]:
        why = "as the first candidate, since none fits its rule"
    return (
        f"quality-tuning stopped at step {stopped['picked_step']} {why}, measured on "
        f"{stopped['held_out_captions']} captions of things outside the tuning list; "
        f"{_percent(stopped['signals']['copied_share'])} of its samples of tuning captions are "
        "copied (of real drawings outside the list, 5 % lie as near)"
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"
