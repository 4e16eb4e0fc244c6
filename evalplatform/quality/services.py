"""Making gold pairs, and deciding whose votes stop counting."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import prefetch_related_objects

from evalplatform.annotation.models import Enrolment, Exclusion
from evalplatform.annotation.services import exclude
from evalplatform.campaigns.models import Campaign, Criterion, GoldPair
from evalplatform.campaigns.safety import screen
from evalplatform.campaigns.sample_faults import is_sound
from evalplatform.campaigns.selectors import planned_prompts, sample_pairs
from evalplatform.core.errors import BadInputError
from evalplatform.quality.gold import GoldImages, SamplePair, gold_images
from evalplatform.quality.gold_file import GoldRow, open_gold_image, read_gold_file
from evalplatform.quality.images import store_gold_image, usual_size
from evalplatform.quality.rules import verdict_on
from evalplatform.quality.selectors import decided_by_hand, measures_of

BY_HAND = "manual"
_AUTOMATIC = ("damaged_copy", "other_prompt")


def make_gold_pairs(
    *, campaign: Campaign, counts: Mapping[str, int], on_made: Callable[[], None] = lambda: None
) -> int:
    """Make automatic gold pairs until each criterion has `counts` of each purpose.

    What is there, by file too, stays and is counted, so the same counts change nothing and larger
    ones add. Each pair is stored at once: interrupted, it resumes. Returns how many were made.

    Raises `BadInputError` for a campaign that has opened, while samples are missing, and where
    the campaign's prompts do not give so many pairs.
    """
    # A black image is no example of the better one.
    pairs = [pair for pair in _all_pairs(campaign) if is_sound(pair)]
    made = 0
    for criterion in campaign.criteria.all():
        there = campaign.gold_pairs.filter(criterion=criterion)
        origins = there.filter(origin__kind__in=_AUTOMATIC).values_list("origin", flat=True)
        source = gold_images(campaign, criterion, pairs, list(origins))
        for purpose, wanted in counts.items():
            for _ in range(there.filter(purpose=purpose).count(), wanted):
                _store(campaign, criterion, purpose, _next(source, criterion))
                on_made()
                made += 1
    return made


def import_gold_pairs(*, campaign: Campaign, path: Path) -> int:
    """Add the gold pairs of a file (docs/quality.md) that are not there yet.

    Returns how many were added. Raises `BadInputError` as `make_gold_pairs` does, and for what is
    wrong in the file, naming line and column, before anything is stored.
    """
    size = usual_size(_all_pairs(campaign))
    criteria = {criterion.kind: criterion for criterion in campaign.criteria.all()}
    new = _not_there(campaign, path.name, read_gold_file(path, criteria.values()))
    for row in new:
        _store(campaign, criteria[row.criterion], row.purpose, _from_file(row, size))
    return len(new)


def clear_gold_pairs(*, campaign: Campaign) -> int:
    """Remove a campaign's gold pairs and their images, before it opens; return how many."""
    with transaction.atomic():
        _refuse_open(Campaign.objects.select_for_update().get(pk=campaign.pk))
        pairs = list(campaign.gold_pairs.all())
        campaign.gold_pairs.all().delete()
    for pair in pairs:
        default_storage.delete(pair.better_image)
        default_storage.delete(pair.worse_image)
    return len(pairs)


def _not_there(campaign: Campaign, name: str, rows: Sequence[GoldRow]) -> list[GoldRow]:
    """Return the rows to store. Raises `BadInputError` for a pair there with another purpose."""
    stored = campaign.gold_pairs.filter(origin__kind="file").values_list(
        "criterion__kind", "purpose", "origin"
    )
    purposes = {(kind, *sorted(origin.items())): purpose for kind, purpose, origin in stored}
    new = []
    for row in rows:
        purpose = purposes.get(row.content)
        if purpose is None:
            new.append(row)
        elif purpose != row.purpose:
            raise BadInputError(
                f"{name}: line {row.line}, column purpose: this pair is there for {purpose}; a "
                "pair serves one purpose."
            )
    return new


def _all_pairs(campaign: Campaign) -> Sequence[SamplePair]:
    """Return the campaign's sample pairs that annotators may see.

    Raises `BadInputError` while one is missing, or the safety score of one.
    """
    _refuse_open(campaign)
    pairs = sample_pairs(campaign)
    missing = len(planned_prompts(campaign)) - len(pairs)
    if missing or not pairs:
        raise BadInputError(
            f"campaign {campaign.slug!r}: {missing} prompts still lack a sample; run "
            f"`manage.py run_eval --resume {campaign.slug}` to finish generation, then make gold "
            "pairs."
        )
    pairs = screen(campaign, pairs).passed
    samples = [sample for pair in pairs for sample in pair]
    prefetch_related_objects(samples, "prompt__prompt_set")
    return pairs


def _refuse_open(campaign: Campaign) -> None:
    if campaign.is_frozen:
        raise BadInputError(
            f"campaign {campaign.slug!r} is {campaign.status}: its gold pairs are frozen with its "
            "protocol; make them before it opens."
        )


def _next(source: Iterator[GoldImages], criterion: Criterion) -> GoldImages:
    images = next(source, None)
    if images is None:
        raise BadInputError(
            f"the campaign's prompts give no more gold pairs for {criterion.kind}; ask for fewer, "
            "use more prompts (for text_faithfulness: prompts without a word in common), or give "
            "pairs of your own with --from."
        )
    return images


def _from_file(row: GoldRow, size: tuple[int, int]) -> GoldImages:
    return GoldImages(
        prompt_text=row.prompt,
        better=open_gold_image(row.better, size),
        worse=open_gold_image(row.worse, size),
        why=row.why,
        origin=row.origin,
    )


def _store(campaign: Campaign, criterion: Criterion, purpose: str, images: GoldImages) -> GoldPair:
    """Store a pair in the next free place, unless the campaign has opened meanwhile."""
    with transaction.atomic():
        _refuse_open(Campaign.objects.select_for_update().get(pk=campaign.pk))
        same = GoldPair.objects.filter(campaign=campaign, criterion=criterion, purpose=purpose)
        last = same.order_by("-position").values_list("position", flat=True).first()
        return GoldPair.objects.create(
            campaign=campaign,
            criterion=criterion,
            purpose=purpose,
            position=0 if last is None else last + 1,
            prompt_text=images.prompt_text,
            better_image=store_gold_image(images.better),
            worse_image=store_gold_image(images.worse),
            why=images.why,
            origin=images.origin,
        )


def review(*, enrolment: Enrolment, now: datetime) -> Exclusion | None:
    """Exclude the annotator where they break a rule of the campaign; None where they do not.

    Who was reinstated by a person is left to people: the same figures would exclude them again.
    """
    if enrolment.status == Enrolment.Status.DISQUALIFIED or decided_by_hand(enrolment):
        return None
    broken = verdict_on(measures_of(enrolment), enrolment.campaign.checked_rules.quality)
    if not broken:
        return None
    detail = "; ".join(each.detail for each in broken)
    return exclude(enrolment=enrolment, rule=broken[0].rule, detail=detail, now=now)


def exclude_by_hand(*, enrolment: Enrolment, reason: str, now: datetime) -> Exclusion:
    """Exclude an annotator for a reason a person gives; it is reported with the exclusion."""
    if not reason.strip():
        raise BadInputError("an exclusion needs a reason; it is reported with the results.")
    return exclude(enrolment=enrolment, rule=BY_HAND, detail=reason.strip(), now=now)
