"""From the votes of a ranking to the preference set that rewards learn from."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import transaction

from evalplatform.campaigns.models import Campaign
from evalplatform.checkpoints.services.backend import ask_backend
from evalplatform.core.errors import BadInputError
from evalplatform.core.telling import tell_nobody
from evalplatform.exports.building import build
from evalplatform.exports.options import checked_options
from evalplatform.exports.parts import sha256_of
from evalplatform.feedback.models import FeedbackRound

MARK = "preferences.json"
_EXPORT = {"kind": "parquet", "images": "path", "with_excluded": True}


def export_preferences(
    *,
    round: FeedbackRound,
    with_open: bool = False,
    progress: Callable[[int], None] = tell_nobody,
) -> FeedbackRound:
    """Write the preference set of a round's rankings; asked again, it returns what is there.

    Interrupted, the same call goes on. `with_open` takes the votes that are in before the ranking
    is closed. Raises `BadInputError` while people still rank, and as the export does.
    """
    if round.preferences_sha256:
        return round
    rankings = round.rankings
    if rankings is None:
        raise BadInputError(
            f"{round} has no ranking of its own; expand round {round.number - 1}, which writes its "
            "preference set.",
            by_command=f"`manage.py feedback expand {round.loop} --round {round.number - 1}` does "
            "it.",
        )
    if rankings.status != Campaign.Status.CLOSED and not with_open:
        raise BadInputError(
            f"{rankings.slug} is {rankings.status}: people still rank. Close it, or have the "
            "votes so far taken.",
            by_command=f"`manage.py close_campaign {rankings.slug}` closes it, --with-open takes "
            "them.",
        )
    made = round.folder / "preferences"
    write_preferences(rankings, round.folder / "votes", made, progress)
    return keep_preferences(round=round, folder=made)


def write_preferences(
    campaign: Campaign,
    votes: Path,
    made: Path,
    progress: Callable[[int], None] = tell_nobody,
) -> None:
    """Write a campaign's votes as the preference set `made`, unless that is there.

    `votes` is a folder for the export; afterwards it is gone.
    """
    if not (made / MARK).is_file():
        votes.mkdir(parents=True, exist_ok=True)
        build(campaign, checked_options(campaign, _EXPORT), votes, progress=progress)
        # What an earlier run left half done begins again: it is quick beside the export.
        shutil.rmtree(made, ignore_errors=True)
        ask_backend(
            "models_backend.preferences",
            ["import", votes, "--from", "site", "--out", made],
            say=tell_nobody,
        )
    shutil.rmtree(votes, ignore_errors=True)  # also what one that was killed here left


def keep_preferences(*, round: FeedbackRound, folder: Path) -> FeedbackRound:
    """Write down which preference set a round learns from; the folder is where it belongs."""
    with transaction.atomic():
        round = FeedbackRound.objects.select_for_update(of=("self",)).get(pk=round.pk)
        round.preferences_sha256 = sha256_of(folder / MARK)
        round.preferences = _summary(json.loads((folder / MARK).read_text(encoding="utf-8")))
        round.save(update_fields=["preferences_sha256", "preferences"])
    return round


def _summary(mark: dict[str, Any]) -> dict[str, Any]:
    named = ("pairs", "prompts", "images", "aspects", "annotators", "ties", "sources", "splits")
    return {name: mark[name] for name in (*named, "simulated")}
