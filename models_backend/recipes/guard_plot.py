"""The page that shows over-optimisation: the optimised reward beside the judge."""

from __future__ import annotations

import io
from typing import Any

from models_backend.configuration.feedback import GuardConfig


def _error_of_rise(entry: dict[str, Any], parent: dict[str, Any]) -> float:
    """Return the standard error of the rise, prompt by prompt: what the rule goes by.

    That of the judge's own mean is several times as large, since prompts differ more than steps.
    """
    risen = [one - other for one, other in zip(entry["judged"], parent["judged"], strict=True)]
    mean = sum(risen) / len(risen)
    variance = sum((each - mean) ** 2 for each in risen) / max(1, len(risen) - 1)
    return float((variance / len(risen)) ** 0.5)


def plot_guard(content: dict[str, Any], config: GuardConfig) -> bytes:
    """Return one page (PNG): reward and judge, diversity, faithfulness, the winner's error."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    entries = content["entries"]
    steps = [e["step"] for e in entries]
    parent = entries[0]
    figure = Figure(figsize=(9, 8), layout="constrained")
    FigureCanvasAgg(figure)
    scores, bounds, faith = figure.subplots(3, 1, sharex=True)
    if parent.get("reward") is not None:
        gained = [e["reward"] - parent["reward"] for e in entries]
        scores.plot(steps, gained, marker=".", color="tab:blue", label="reward that is\noptimised")
    if parent["judge"] is not None:
        risen = [e["judge"] - parent["judge"] for e in entries]
        errors = [_error_of_rise(e, parent) for e in entries]
        scores.errorbar(steps, risen, yerr=errors, marker=".", capsize=2, color="tab:orange",
                        label="judge that is not\n(± s.e. of the rise)")  # fmt: skip
    if parent.get("reward") is not None and parent["judge"] is not None:
        scores.fill_between(steps, gained, risen, alpha=0.15, color="tab:red",
                            label="gap:\nover-optimisation")  # fmt: skip
    scores.axhline(0, color="grey", linewidth=0.8)
    scores.set_ylabel("rise above the parent,\nstandard deviations")
    bounds.plot(steps, [e["diversity"] / max(parent["diversity"], 1e-12) for e in entries],
                marker=".", label="diversity")  # fmt: skip
    bounds.axhline(config.diversity, linestyle=":", color="tab:blue", label="its bound")
    if parent.get("winner_error"):
        bounds.plot(steps, [e["winner_error"] / parent["winner_error"] for e in entries],
                    marker=".", color="tab:orange", label="winner's error")  # fmt: skip
        bounds.axhline(1 + config.winner_error_rise, linestyle=":", color="tab:orange",
                       label="its bound")  # fmt: skip
    bounds.set_ylabel("share of the parent's")
    faith.errorbar(steps, [e["faithfulness"] for e in entries],
                   yerr=[e["faithfulness_error"] for e in entries], marker=".", capsize=2,
                   label="faithfulness")  # fmt: skip
    faith.axhline(parent["faithfulness"] - config.tolerance * parent["faithfulness_error"],
                  linestyle=":", label="its bound")  # fmt: skip
    faith.set_ylabel("retrieval of held-out prompts\n(mean reciprocal rank)")
    faith.set_xlabel("step")
    picked = "the first: none fits\nthe rule" if content.get("none_fits") else "picked by the rule"
    for axes in (scores, bounds, faith):
        if "picked_step" in content:
            axes.axvline(content["picked_step"], linestyle="--", color="black", linewidth=1,
                         label=picked)  # fmt: skip
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.25)
        # Beside the axes: over the lines it hides them, and finding a free place takes time.
        if axes.get_legend_handles_labels()[0]:  # without a judge nothing is drawn yet
            axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
    figure.suptitle("Guard of tuning by preferences", fontsize=11)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
