"""The model card of a reward: what it learned from whom, and how far it can be believed."""

from __future__ import annotations

from typing import Any


def reward_card(metadata: dict[str, Any]) -> str:
    """Return README.md of a reward model, in Markdown."""
    data, built = metadata["data"], metadata["architecture"]
    sources = ", ".join(f"{count} {name}" for name, count in data["sources"].items())
    lines = [
        f"# {metadata['name']}",
        f"A reward model: for an image and a prompt, how much people would prefer it. Aspects: "
        f"{', '.join(metadata['aspects'])}. It looks at images by `{built['features']}`.",
        "## Data",
        f"- preference set sha256 `{data['preferences_sha256']}`: pairs {sources}"
        + (f"; campaign {data['campaign']}" if data["campaign"] else ""),
        f"- protocol sha256 `{data['protocol_sha256'] or 'not known'}`; licence {data['licence']}",
        "- SIMULATED votes were learned from; no person said these things"
        if data["simulated"]
        else "- votes of people",
        "## Validation",
        "| aspect | pairs | accuracy | temperature |",
        "|---|---|---|---|",
    ]
    temperatures = metadata["calibration"]["temperature"]
    for aspect, temperature in zip(metadata["aspects"], temperatures, strict=True):
        found = metadata["validation"][aspect]
        said = "none" if found["accuracy"] is None else f"{found['accuracy']:.3f}"
        lines.append(f"| {aspect} | {found['pairs']} | {said} | {temperature:.3f} |")
    lines += [
        "",
        "Accuracy on validation chose the model, so it flatters. `python -m models_backend.rewards "
        "evaluate` measures test prompts, beside what one person reaches on the same pairs.",
        "## Limits",
        "It repeats the tastes of those who voted, and knows images like theirs. A model that is "
        "tuned towards it finds what it overlooks: keep a judge that is never optimised.",
        "## Lineage",
        f"Recipe {metadata['config'].get('recipe', 'reward')}, seed "
        f"{metadata['config'].get('seed', 0)}, code {metadata['code_version']}.",
    ]
    return "\n".join(lines) + "\n"
