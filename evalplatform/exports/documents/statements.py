"""What a data set's papers say in words, from the protocol alone; what nobody stated says so."""

from __future__ import annotations

from typing import Any

from evalplatform.campaigns.models import Arm
from evalplatform.exports.kinds import Grain
from evalplatform.exports.options import Options
from evalplatform.exports.told import Told

NOT_STATED = "not stated"
GRAINS = {
    Grain.VOTE: "one vote of one annotator on one item, as it was cast",
    Grain.PAIR: "two images that one vote compares: a pair, two places of a ranking, or two "
    "ratings of one annotator on one prompt",
    Grain.CONSENSUS: "two images of one prompt under one criterion, all votes on them counted",
}


def title(told: Told) -> str:
    """Return what the data set is called."""
    return f"Human preferences: {told.campaign.slug}"


def arm_name(arm: Arm, options: Options) -> str:
    """Return what an arm is called in this export."""
    return arm.letter if options.is_blind else arm.name


def consent(told: Told) -> str:
    """Return what annotators agreed to: as the exporter says, else the text they were shown."""
    return told.options.consent or told.campaign.checked_rules.annotation.consent


def summary(told: Told) -> str:
    """Say in one paragraph what the data set is."""
    campaign = told.campaign
    questions = "; ".join(f"{each.label}: “{each.question}”" for each in campaign.criteria.all())
    arms = ", ".join(
        arm.letter if told.options.is_blind else f"{arm.letter} = {arm.name}"
        for arm in campaign.contenders
    )
    notes = "".join(f" {each}" for each in told.marks.notes)
    return (
        f"Judgements of text-to-image samples of {len(campaign.contenders)} arms ({arms}). "
        f"Annotators were asked: {questions}. A row is {GRAINS[told.options.grain]}.{notes}"
    )


def choices(told: Told) -> list[str]:
    """Say what of the campaign's votes is in it, and what is not."""
    options = told.options
    said = []
    for what, values in (
        ("criteria", options.criteria),
        ("categories", options.categories),
        ("tags", options.tags),
    ):
        if values:
            said.append(f"Only {what} {', '.join(values)}.")
    said.append(
        "Votes of annotators who were excluded are in it, marked (`counts`, `excluded_by`)."
        if options.with_excluded
        else "Votes of annotators who were excluded are left out."
    )
    if options.grain is not Grain.VOTE:
        said.append(
            "Comparisons that prefer neither image are left out."
            if options.drops_ties
            else "Ties are in it, and marked in the column `tie`."
        )
        said.append(
            "Of two images the first is the one that stood left; where nothing stood left, and for "
            "counts of several votes, a hash decides. It tells nothing of the arm."
        )
    if options.splits:
        train, validation, test = options.splits
        said.append(
            f"Splits ({train}/{validation}/{test} per cent) go by the SHA-256 of the prompt, in "
            "lower case and with single spaces: no prompt is in two of them."
        )
    if told.campaign.status != told.campaign.Status.CLOSED:
        said.append(
            f"Voting had not been closed when it was made ({told.state.made_at}): votes may be "
            "missing that came later."
        )
    if options.is_blind:
        said.append("Blind: arms have letters; names, weights and the protocol are left out.")
    if told.state.lost:
        said.append(f"{len(told.state.lost)} images were lost; their places are empty.")
    return said


def collection(told: Told) -> dict[str, Any]:
    """Return how votes were collected, in words, by subject."""
    per_item = ", ".join(f"{each.slug}: {each.k}" for each in told.campaign.criteria.all())
    return {
        **_who_and_how(told),
        "per_item": f"Votes per item by criterion: {per_item}.",
        "limits": (
            "It says which of the images shown people preferred under the question asked, and "
            "nothing of other prompts, settings or questions."
        ),
        "personal": (
            "Annotators have pseudonyms. Names, addresses and answers to questionnaires are not in "
            "it. Do not try to find out who they are."
        ),
        "use": "Comparing the arms; training and testing models of human preference.",
    }


def _who_and_how(told: Told) -> dict[str, str]:
    """Say how votes were cast, where and by whom; of imported ones little is known."""
    shared = "Votes share prompts and annotators and are not independent."
    protocol = told.campaign.protocol or {}
    if told.marks.imported:
        return {
            "protocol": (
                f"Votes were imported; what is known of them has the SHA-256 "
                f"{told.campaign.protocol_sha256}. How images were placed, and whether annotators "
                "knew which arm made one, is not recorded."
            ),
            "platform": "not recorded: votes were cast elsewhere",
            "biases": f"Who voted, and how they were found, is not recorded. {shared}",
        }
    places = protocol.get("rules", {}).get("image_order", "–")
    return {
        "protocol": (
            f"Protocol frozen at opening, SHA-256 {told.campaign.protocol_sha256}. "
            f"Design: {told.campaign.design}. Places of images: {places}. "
            "Annotators are not told which arm made an image."
        ),
        "platform": "evalplatform, self-hosted",
        "biases": (
            "Annotators are those who were invited; their tastes need not be those of other "
            f"people. {shared}"
        ),
    }


def quoted_licence(options: Options) -> str:
    return options.licence or NOT_STATED
