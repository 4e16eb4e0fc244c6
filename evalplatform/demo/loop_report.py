"""What a rehearsed loop comes to: rewards beside one person, children by the known utility."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.core.files.storage import default_storage

from evalplatform import stats
from evalplatform.accounts.projects import default_project
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.files import write_whole
from evalplatform.demo import controls
from evalplatform.demo.loop_steps import (
    GUIDANCE,
    HELD_OUT,
    LOOP,
    LoopDemo,
    round_of,
    rounds,
    samples_of,
)
from evalplatform.feedback.models import FeedbackRound, RegisteredReward
from evalplatform.promptsets.selectors import prompt_set_named
from evalplatform.reports.cached import results_of
from evalplatform.reports.cells import p_value, percent
from evalplatform.reports.management.commands.report import render
from evalplatform.reports.result_types import CampaignResults
from evalplatform.simulation.behaviour import see
from evalplatform.simulation.known import KNOWN, true_utility

ENOUGH_OF_ONE_PERSON = 0.9
SURE = 0.01
REPORT = "report.txt"


@dataclass(frozen=True)
class TrueGain:
    """A model against another, prompt by prompt, by the known utility without noise.

    Attributes:
        better, worse: prompts of which its image has the higher, or lower, utility.
        mean, error: of the gain over prompts, and its standard error, in the utility's units.
        p_value: of the two-sided sign test.
    """

    better: int
    worse: int
    mean: float
    error: float
    p_value: float | None

    @classmethod
    def of(cls, gained: Sequence[float]) -> "TrueGain":
        """Count gains, two prompts or more."""
        gains = np.asarray(gained)
        better, worse = int((gains > 0).sum()), int((gains < 0).sum())
        tally = stats.Tally(win=better, tie=len(gains) - better - worse, lose=worse)
        return cls(
            better, worse, float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains))),
            stats.exact_sign_test(tally).p_value,
        )  # fmt: skip

    @property
    def is_sure(self) -> bool:
        return self.better > self.worse and self.p_value is not None and self.p_value < SURE


def write_report(demo: LoopDemo) -> str:
    """Sample every model on the held-out prompts, and write what all of it comes to."""
    lines = [
        f"Rankings and proofs by {KNOWN}.",
        "", *reward_lines(list(RegisteredReward.objects.filter(round__loop__slug=LOOP))),
        "", *_agreement_lines(round_of(1)),
        "", *_gain_lines(_utilities(demo)),
        "", *_guard_lines(demo),
    ]  # fmt: skip
    for each in rounds():
        assert each.proof
        results = results_of(each.proof)
        lines += ["", *proof_lines(each.number, results)]
        table = demo.folder / f"proof-{each.number}.txt"
        write_whole(table, render(results, "table"))
        lines.append(f"  {table}")
    write_whole(demo.folder / REPORT, "\n".join(lines) + "\n")
    return str(demo.folder / REPORT)


def reward_lines(rewards: Sequence[RegisteredReward]) -> list[str]:
    """Return each reward's accuracy beside one person's, on prompts it has not learned from."""
    lines = [
        "Rewards, on the test prompts: share of votes that agree with it; and, held against the "
        "majority of the others, one person and the reward on the same votes.",
        f"{'reward':20} {'aspect':18} {'agrees [95 %]':22} {'one person':>10} {'reward':>7} "
        f"{'share':>6}  >= {ENOUGH_OF_ONE_PERSON:g} and above chance",
    ]
    for reward in rewards:
        if "report" not in reward.evaluation:
            lines.append(f"{reward.name:20} not measured: {reward.evaluation.get('missing', '')}")
            continue
        for aspect, told in reward.evaluation["report"]["aspects"].items():
            lines.append(f"{reward.name:20} {aspect:18} {_measured(told)}")
    return lines


def _measured(told: dict[str, Any]) -> str:
    own, person, same = told["accuracy"], told["one_person"], told["reward_on_the_same"]
    said = f"{own['mean']:.3f} [{own['low']:.3f}, {own['high']:.3f}]"
    if person is None:
        return f"{said:22} nobody voted twice on a pair"
    share = same["mean"] / person["mean"]
    is_enough = share >= ENOUGH_OF_ONE_PERSON and own["low"] > 0.5
    return (
        f"{said:22} {person['mean']:10.3f} {same['mean']:7.3f} {share:6.2f}  "
        f"{'yes' if is_enough else 'NO'}"
    )


def proof_lines(number: int, results: CampaignResults) -> list[str]:
    """Return what the blind votes of a round's proof say: a line a criterion, all prompts."""
    arms = " against ".join(arm.name for arm in results.campaign.contenders)
    lines = [f"The proof of round {number}: {arms}, blind votes, every one SIMULATED:"]
    for group in results.groups:
        if group.depth == 0:
            shares = [(word, getattr(group.rates, word)) for word in ("win", "tie", "lose")]
            said = ", ".join(f"{word} {percent(share)}" for word, share in shares)
            lines.append(
                f"  {group.criterion_label:20} {said}, net {percent(group.rates.net, signed=True)} "
                f"%, p {p_value(group.test.p_value)}"
            )
    return lines


def _agreement_lines(round: FeedbackRound) -> list[str]:
    said = f"Places of {round.child}: people agree with {round.agreed} of {round.compared} pairs"
    if round.agreement is None:
        return [f"{said}."]
    return [
        f"{said}, {100 * round.agreement:.0f} % (floor {100 * round.loop.agreement_floor:.0f} %); "
        f"{round.insertion['pairs']:,} pairs were put in."
    ]


def _models() -> list[tuple[str, Checkpoint, Checkpoint]]:
    """Return each model with its role in the rehearsal and what it is held against."""
    start = round_of(1).parent
    named = Checkpoint.objects.in_bulk(
        [controls.BY_REWARDS, controls.TOO_FAR, controls.BY_CHANCE], field_name="name"
    )
    children = [(each.child, each.number) for each in rounds()]
    rows = [(f"child of round {n}, on pairs", child, start) for child, n in children if child]
    rows += [
        (f"child of round {each.number}, on pairs", each.child, each.parent)
        for each in rounds()
        if each.child and each.parent != start
    ]
    said = {
        controls.BY_REWARDS: "tuned by rewards",
        controls.TOO_FAR: "control: over-optimised",
        controls.BY_CHANCE: "control: random reward",
    }
    return rows + [(words, named[name], start) for name, words in said.items() if name in named]


def _utilities(demo: LoopDemo) -> dict[str, list[float]]:
    """Return the true utility of every model's image of each held-out prompt, by name."""
    prompts = list(prompt_set_named(HELD_OUT, default_project()).prompts.order_by("position"))
    found = {}
    for model in {each.pk: each for _, *both in _models() for each in both}.values():
        values = []
        for sample in samples_of(model, prompts, guidance=GUIDANCE, called=f"{LOOP}-held-out"):
            with default_storage.open(sample.image) as stored:
                values.append(true_utility(see(stored.read())))
        found[model.name] = values
    return found


def _gain_lines(utilities: dict[str, list[float]]) -> list[str]:
    count = len(next(iter(utilities.values())))
    lines = [
        f"The known utility without noise, image by image of the same seeds, {count} held-out "
        f"prompts (sign test; wanted of a child: p < {SURE:g}):",
        f"{'model':30} {'against':22} {'better':>6} {'worse':>6} {'mean gain (s.e.)':>18} {'p':>9}",
    ]
    for words, model, against in _models():
        pairs = zip(utilities[model.name], utilities[against.name], strict=True)
        gain = TrueGain.of([one - other for one, other in pairs])
        lines.append(
            f"{words:30} {against.name:22} {gain.better:6} {gain.worse:6} "
            f"{gain.mean:+10.3f} ({gain.error:.3f}) "
            f"{'–' if gain.p_value is None else format(gain.p_value, '9.2g')}"
            f"  {'better' if gain.is_sure else 'not shown'}"
        )
    return lines


def _guard_lines(demo: LoopDemo) -> list[str]:
    """What the judge says of where each guarded run stopped, and of the run it did not stop."""
    lines = [
        "Guards, by the judge (standard deviations above the parent) and the optimised reward:"
    ]
    runs = [(f"round {n.number}", n.folder / "preference-run") for n in rounds()]
    runs.append(("by rewards", controls.folder_of(demo, controls.BY_REWARDS)))
    runs.append(("over-optimised", controls.folder_of(demo, controls.TOO_FAR)))
    for name, run in runs:
        for file in sorted(run.glob("**/candidates/**/signals.json")):
            lines += _signals(name, json.loads(file.read_text(encoding="utf-8")))
            lines.append(f"  {file.with_name('signals.png')}")
    return lines


def _signals(name: str, told: dict[str, Any]) -> list[str]:
    first, *_ = told["entries"]
    lines = []
    for each in told["entries"][1:]:
        mark = ""
        if each["step"] == told["picked_step"]:
            mark = "the first, since none fits" if told["none_fits"] else "picked"
        rose = "" if each["judge"] is None else f"judge {each['judge'] - first['judge']:+.2f}"
        reward = error = ""
        if each.get("reward") is not None:
            reward = f"optimised {each['reward'] - first['reward']:+.2f}  "
        if each["winner_error"]:
            change = each["winner_error"] / first["winner_error"] - 1
            error = f"winner's error {100 * change:+.1f} %"
        lines.append(
            f"{name:16} step {each['step']:4}  {rose}  {reward}{error}  diversity "
            f"{each['diversity'] / first['diversity']:.2f}  faithfulness "
            f"{each['faithfulness'] - first['faithfulness']:+.2f}  {mark}"
        )
    why = told.get("stopped")
    return [*lines, f"{name:16} {why}"] if why else lines
