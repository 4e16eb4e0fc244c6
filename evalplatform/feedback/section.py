"""What the Results tab shows of rewards beside a campaign's votes, and the file of exports."""

from __future__ import annotations

import json
from typing import Any

from evalplatform.campaigns.models import Campaign
from evalplatform.core.components import BarPart, outcome_parts
from evalplatform.feedback.models import CampaignReward, RegisteredReward
from evalplatform.feedback.scored import images_of, reward_coverage
from evalplatform.feedback.services.showing import refresh_report, report_now
from evalplatform.reports.beside import Beside
from evalplatform.stats import State

FILE = "rewards.json"
_SHARES = (("win", False), ("tie", False), ("lose", False), ("net", True))


def reward_section(campaign: Campaign, may_edit: bool) -> dict[str, Any] | None:
    """Return what `feedback/_beside_votes.html` shows; None where there is nothing to show."""
    shown = _shown(campaign)
    others: list[RegisteredReward] = []
    if may_edit and campaign.is_frozen:
        others = list(
            RegisteredReward.objects.filter(project=campaign.project).exclude(
                pk__in=[each.reward_id for each in shown]
            )
        )
    if not shown and not others:
        return None
    return {"rewards": [_told(each) for each in shown], "others": others, "may_edit": may_edit}


def rewards_json(campaign: Campaign) -> str | None:
    """Return the reports of every reward that is shown as JSON; None where none is."""
    reports = [report_now(each) for each in _shown(campaign)]
    return json.dumps(reports, indent=2, ensure_ascii=False) + "\n" if reports else None


BESIDE = Beside("feedback/_beside_votes.html", reward_section, FILE, rewards_json)


def _shown(campaign: Campaign) -> list[CampaignReward]:
    return list(
        CampaignReward.objects.filter(campaign=campaign).select_related("campaign", "reward")
    )


def _told(row: CampaignReward) -> dict[str, Any]:
    report = refresh_report(row=row).report
    progress = None
    if report["scored"] < report["images"]:
        progress = reward_coverage(row.reward, images_of(row.campaign))
    return {
        "reward": row.reward,
        "report": report,
        "progress": progress,
        "criteria": [_criterion(each) for each in report["criteria"]],
    }


def _criterion(told: dict[str, Any]) -> dict[str, Any]:
    if told.get("unknown"):
        return {"label": told["label"], "unknown": True}
    return {
        "label": told["label"],
        "agreement": _percent(told["agreement"]),
        "one_person": _percent(told["one_person"]),
        "pairs": [_pair(each) for each in told["pairs"]],
    }


def _pair(told: dict[str, Any]) -> dict[str, Any]:
    says, both = told["reward_says"], told["people_and_reward"]
    made = {
        "arms": f"{told['arm']} – {told['other']}",
        "sets": says["sets"],
        "bar": _bar(says, told["arm"], told["other"]),
        "reason": "No votes yet." if both is None else both["reason"],
        "rows": [],
    }
    if both is None or both["state"] != State.DEFINED.value:
        return made
    names = {"win": f"{told['arm']} wins", "tie": "Tie", "lose": f"{told['other']} wins",
             "net": "Net"}  # fmt: skip
    made["rows"] = [
        {
            "name": names[share],
            "both": _percent(both[share]["estimate"], signed=signed),
            "alone": _percent(both[share]["alone"], signed=signed),
            "worth": f"×{both[share]['votes_worth']:.2f}" if both[share]["votes_worth"] else "–",
        }
        for share, signed in _SHARES
    ]
    made |= {"voted": both["n_voted"], "prompts": both["n_prompts"]}
    if abs(both["apart"]) > _FAR_APART:
        made["caution"] = (
            f"The reward finds the prompts with votes {abs(both['apart']):.1f} standard errors "
            "apart from the others, so they are hardly a draw from all: do not rely on this."
        )
    return made


_FAR_APART = 3.0  # standard errors


def _bar(says: dict[str, int], arm: str, other: str) -> list[BarPart]:
    shares = {name: says[name] / says["sets"] for name in ("win", "tie", "lose")}
    parts = outcome_parts(shares["win"], shares["tie"], shares["lose"], None)
    names = (f"{arm} higher", "alike", f"{other} higher")
    return [
        BarPart(part.kind, name, part.share, f"{100 * part.share:.1f} %")
        for part, name in zip(parts, names, strict=True)
    ]


def _percent(estimate: dict[str, Any] | None, *, signed: bool = False) -> str:
    """Return an estimate out of JSON, with its interval, in per cent."""
    if estimate is None or estimate["value"] is None:
        return "–"
    sign = "+" if signed else ""
    value = f"{100 * estimate['value']:{sign}.1f}"
    if estimate["low"] is None:
        return f"{value} [–]"
    return f"{value} [{100 * estimate['low']:{sign}.1f}, {100 * estimate['high']:{sign}.1f}]"
