"""What an export holds beside its votes so that every number can be computed again without us.

`replay/` has lines of JSON: the prompts, image sets and items of the campaign, the answers to
checks, what annotators gave back or sent too late, and who took part. All of it is pseudonymous.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet

from evalplatform.annotation.models import Exclusion, Release, SurplusVote, Vote
from evalplatform.campaigns.models import Campaign, ImageSet, ShownImage
from evalplatform.campaigns.safety import filter_counts
from evalplatform.core.files import write_pieces, write_whole
from evalplatform.exports.told import Told
from evalplatform.promptsets.models import Prompt
from evalplatform.quality.selectors import annotator_facts
from evalplatform.reports.exports import results_json
from evalplatform.reports.prompts import prompt_facts
from evalplatform.reports.results import campaign_results
from evalplatform.reports.safety import prompt_of
from evalplatform.reports.selectors import completeness_of

Record = dict[str, Any]
FOLDER = "replay"
DETECTOR = ("name", "version", "weights_sha256", "unsafe_labels")


def write_replay(told: Told) -> None:
    """Write results.json and all that it is computed of beside the votes."""
    results = results_json(campaign_results(told.campaign))
    write_whole(told.folder / "results.json", _line(results, indent=2))
    whole = told.folder / FOLDER
    write_whole(whole / "campaign.json", _line(_campaign(told), indent=2))
    for name, records in _LISTS.items():
        pieces = (_line(each).encode() for each in records(told))
        write_pieces(whole / f"{name}.jsonl", pieces)


def _line(record: object, indent: int | None = None) -> str:
    return json.dumps(record, ensure_ascii=False, indent=indent) + "\n"


def _campaign(told: Told) -> Record:
    campaign, completeness = told.campaign, completeness_of(told.campaign)
    kept = (
        "slug", "status", "design", "images_per_prompt", "rules", "imported_from",
        "protocol_sha256", "sets_left_out",
    )  # fmt: skip
    asked = (
        "id", "slug", "label", "question", "instructions", "shows_prompt", "form", "heads", "gold",
        "k", "position",
    )  # fmt: skip
    return {
        **{name: getattr(campaign, name) for name in kept},
        "arms": [
            {"place": arm.place, "name": arm.name, "sha256": arm.sha256,
             "kind": "checkpoint" if arm.checkpoint else "collection" if arm.collection else ""}
            for arm in campaign.contenders
        ],
        "criteria": [
            {name: getattr(each, name) for name in asked} for each in campaign.criteria.all()
        ],
        "items": completeness.items,
        "votes_wanted": completeness.votes_wanted,
        "undone": Vote.objects.filter(
            assignment__campaign=campaign, retracted_at__isnull=False
        ).count(),
        "people": _people(told),
        "safety": _safety(campaign),
    }  # fmt: skip


def _people(told: Told) -> list[Record]:
    """Everybody enrolled; numbers keep the order in which they are known."""
    sayings = dict(
        told.campaign.enrolments.values_list(
            "annotator__pseudonym", "annotator__simulated_behaviour__says"
        )
    )
    found = []
    for each in annotator_facts(told.campaign):
        facts = asdict(each) | {"annotator": told.people[each.pseudonym]}
        del facts["skips"], facts["surplus"]  # counted from events.jsonl
        found.append(facts | {"says": sayings[each.pseudonym]})
    return found


def _safety(campaign: Campaign) -> Record | None:
    detector, threshold = campaign.safety_detector, campaign.checked_rules.safety.threshold
    if detector is None or threshold is None:
        return None
    counts = filter_counts(campaign)
    withheld = campaign.withheld.select_related(
        "sample__prompt__prompt_set", "collected__prompt__prompt_set", "arm"
    )
    return {
        "detector": {name: getattr(detector, name) for name in DETECTOR},
        "threshold": threshold,
        "prompts": counts.prompts,
        "sets": counts.sets,
        "withheld": [
            {"arm": each.arm.place, "number": each.number, "score": each.score,
             "prompt_id": prompt.pk, "prompt_text": prompt.text, "prompt_position": prompt.position,
             "prompt_set_id": prompt.prompt_set_id, "prompt_set": prompt.prompt_set.name,
             "prompt_set_version": prompt.prompt_set.version}
            for each in withheld
            for prompt in [prompt_of(each)]
        ],
    }  # fmt: skip


def _prompts(told: Told) -> Iterator[Record]:
    known = Prompt.objects.filter(prompt_set__campaigns=told.campaign)
    texts = dict(known.values_list("pk", "text"))
    return (each._asdict() | {"text": texts[each.id]} for each in prompt_facts(told.campaign))


def _items(told: Told) -> Iterator[Record]:
    items = told.campaign.items.main().order_by("id")
    names = ("item", "position", "image_set", "criterion", "prompt_id")
    fields = ("pk", "position", "image_set_id", "criterion__slug", "image_set__prompt_id")
    return _rows(items, names, fields)


def _sets(told: Told) -> Iterator[Record]:
    shown = ShownImage.objects.filter(
        image_set__campaign=told.campaign, image_set__purpose=ImageSet.Purpose.MAIN
    ).order_by("image_set", "place")
    names = ("image_set", "place", "arm")
    return _rows(shown, names, ("image_set_id", "place", "arm__place"))


def _checks(told: Told) -> Iterator[Record]:
    """Answers to gold, qualification and repeats; `expected` where it is known."""
    votes = (
        Vote.objects.filter(assignment__campaign=told.campaign, retracted_at__isnull=True)
        .exclude(assignment__purpose="main")
        .order_by("pk")
    )
    fields = {
        "vote_id": "pk",
        "purpose": "assignment__purpose",
        "item": "assignment__item_id",
        "image_set": "assignment__item__image_set_id",
        "criterion": "assignment__item__criterion__slug",
        "form": "assignment__item__criterion__form",
        "prompt_id": "assignment__item__image_set__prompt_id",
        "expected": "assignment__item__image_set__expected",
        "annotator": "annotator__pseudonym",
        "answer": "answer",
        "grades": "grades",
        "response_time_ms": "response_time_ms",
        "is_simulated": "is_simulated",
        "excluded_by": "exclusion__rule",
    }
    return _rows(votes, tuple(fields), tuple(fields.values()))


def _events(told: Told) -> Iterator[Record]:
    """Slots given back, and answers that came too late, each with its reason."""
    about = ("pk", "annotator__pseudonym", "reason")
    late = SurplusVote.objects.filter(assignment__campaign=told.campaign).order_by("pk")
    for each in _rows(late, ("number", "annotator", "reason"), about):
        yield {"event": "late"} | each
    left = Release.objects.filter(assignment__campaign=told.campaign).order_by("pk")
    names = ("number", "annotator", "reason", "item", "position", "criterion", "prompt_text")
    fields = (
        *about, "item_id", "item__position", "item__criterion__label",
        "item__image_set__prompt_text",
    )  # fmt: skip
    for each in _rows(left, names, fields):
        yield {"event": "left"} | each


def _exclusions(told: Told) -> Iterator[Record]:
    """Every exclusion, taken back or not, with the votes it holds and whether a slot was refilled.

    A vote's slot was refilled where its assignment is completed again.
    """
    found = Exclusion.objects.filter(enrolment__campaign=told.campaign).order_by("pk")
    for each in found.select_related("enrolment__annotator"):
        held = each.votes.filter(assignment__purpose="main", retracted_at__isnull=True)
        votes = held.order_by("pk").values_list("pk", "assignment__completed_at")
        yield {
            "annotator": each.enrolment.annotator.pseudonym,
            "is_simulated": each.enrolment.annotator.is_simulated,
            "rule": each.rule,
            "detail": each.detail,
            "decided_at": each.decided_at.isoformat(),
            "revoked_at": each.revoked_at.isoformat() if each.revoked_at else None,
            "votes": [[key, completed is not None] for key, completed in votes],
        }


def _rows(
    found: QuerySet[Any], names: tuple[str, ...], fields: tuple[str, ...]
) -> Iterator[Record]:
    """Read rows by a server-side cursor."""
    rows: Iterable[tuple[Any, ...]] = found.values_list(*fields).iterator(chunk_size=5_000)
    return (dict(zip(names, row, strict=True)) for row in rows)


_LISTS: dict[str, Callable[[Told], Iterator[Record]]] = {
    "prompts": _prompts,
    "items": _items,
    "sets": _sets,
    "checks": _checks,
    "events": _events,
    "exclusions": _exclusions,
}
