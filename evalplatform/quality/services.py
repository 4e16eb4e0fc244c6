"""Making gold, and deciding whose votes stop counting."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import prefetch_related_objects

from evalplatform.annotation.models import Enrolment, Exclusion
from evalplatform.annotation.services import exclude
from evalplatform.campaigns.models import Campaign, Criterion, ImageSet, Item, ShownImage
from evalplatform.campaigns.safety import screen, visible_prompts
from evalplatform.campaigns.selectors import whole_sets
from evalplatform.core.errors import BadInputError
from evalplatform.core.telling import tell_nobody
from evalplatform.core.transparency import Ground
from evalplatform.quality.gold import ArmSamples, GoldImages, gold_images
from evalplatform.quality.gold_file import GoldRow, open_gold_image, read_gold_file
from evalplatform.quality.images import store_gold_image, usual_size
from evalplatform.quality.rules import verdict_on
from evalplatform.quality.selectors import decided_by_hand, measures_of

BY_HAND = "manual"
# Sets of each criterion, where nobody says how many.
USUAL_GOLD: dict[str, int] = {
    ImageSet.Purpose.EXAMPLE: 2, ImageSet.Purpose.QUALIFICATION: 5, ImageSet.Purpose.CHECK: 20,
}  # fmt: skip
MOST_GOLD = 10_000
_AUTOMATIC = ("damaged_copy", "other_prompt")


def make_gold(
    *,
    campaign: Campaign,
    counts: Mapping[str, int],
    criteria: Sequence[Criterion] | None = None,
    on_made: Callable[[], None] = tell_nobody,
) -> int:
    """Make gold of the campaign's own samples until each criterion has `counts` of each purpose.

    Of `criteria`, or of all for which gold can be made.

    What is there, by file too, stays and is counted, so the same counts change nothing and larger
    ones add. Each set is stored at once: interrupted, it resumes. Who makes gold of the campaign
    at the same time makes part of the same counts. Returns how many were made.

    Raises `BadInputError` for a campaign that has opened, while samples are missing, for a
    criterion of which no gold can be made, and where the campaign's prompts do not give so much.
    """
    samples = _sound(_visible(campaign))
    made = 0
    if criteria is None:
        criteria = criteria_with_gold(campaign) or list(campaign.criteria.all())
    for criterion in criteria:
        maker = _Maker(campaign, criterion, samples)
        for purpose, wanted in counts.items():
            while maker.make_next(purpose, wanted):
                on_made()
                made += 1
    return made


class _Maker:
    """Makes gold of one criterion, set by set, aware of others that do the same."""

    def __init__(
        self, campaign: Campaign, criterion: Criterion, samples: Sequence[ArmSamples]
    ) -> None:
        self._campaign, self._criterion, self._samples = campaign, criterion, samples
        self._there = campaign.image_sets.filter(criterion=criterion)
        self._source: Iterator[GoldImages] = iter(())
        self._known = -1  # how many sets there were when the source was last right

    def make_next(self, purpose: str, wanted: int) -> bool:
        """Make one set; False where there are `wanted` of the purpose.

        One at a time makes gold of a campaign, and looks before it does at what others have made.
        """
        with transaction.atomic():
            _refuse_open(Campaign.objects.select_for_update().get(pk=self._campaign.pk))
            if self._there.filter(purpose=purpose).count() >= wanted:
                return False
            self._look_again()
            images = _next(self._source, self._criterion)
            store_gold(self._campaign, self._criterion, purpose, images)
            self._known += 1
        return True

    def _look_again(self) -> None:
        """Start the source anew where somebody else added gold: it leaves out what is there."""
        automatic = self._there.filter(origin__kind__in=_AUTOMATIC)
        if (count := automatic.count()) != self._known:
            origins = list(automatic.values_list("origin", flat=True))
            self._source = gold_images(self._campaign, self._criterion, self._samples, origins)
            self._known = count


def criteria_with_gold(campaign: Campaign) -> list[Criterion]:
    """Return the criteria that say how gold is made for them."""
    return list(campaign.criteria.exclude(gold=Criterion.Gold.NONE))


def import_gold(*, campaign: Campaign, path: Path, within: Path | None = None) -> int:
    """Add the gold of a file of pairs (docs/quality.md) that is not there yet.

    No image outside the folder `within` is read, where one is given. Returns how many were added.
    Raises `BadInputError` as `make_gold` does, and for what is wrong in the file, naming line and
    column, before anything is stored.
    """
    _refuse_open(campaign)
    size = usual_size(screen(campaign, whole_sets(campaign)).passed)
    criteria = {criterion.slug: criterion for criterion in campaign.criteria.all()}
    new = _not_there(campaign, path.name, read_gold_file(path, criteria.values(), within))
    ground = campaign.checked_rules.annotation.ground
    made = 0
    for row in new:
        image = _from_file(row, size, ground)
        made += _store_once(campaign, criteria[row.criterion], row.purpose, image)
    return made


def _store_once(campaign: Campaign, criterion: Criterion, purpose: str, images: GoldImages) -> bool:
    """Store gold of a file; False where somebody stored the same pair meanwhile."""
    with transaction.atomic():
        _refuse_open(Campaign.objects.select_for_update().get(pk=campaign.pk))
        if campaign.image_sets.filter(criterion=criterion, origin=images.origin).exists():
            return False
        store_gold(campaign, criterion, purpose, images)
    return True


def clear_gold(*, campaign: Campaign) -> int:
    """Remove a campaign's gold and its images, before it opens; return how many sets."""
    with transaction.atomic():
        _refuse_open(Campaign.objects.select_for_update().get(pk=campaign.pk))
        gold = list(campaign.image_sets.gold().prefetch_related("images"))
        files = [name for each in gold for name in each.files]
        campaign.image_sets.gold().delete()
    for name in files:
        default_storage.delete(name)
    return len(gold)


def _not_there(campaign: Campaign, name: str, rows: Sequence[GoldRow]) -> list[GoldRow]:
    """Return the rows to store. Raises `BadInputError` for a pair there with another purpose."""
    stored = campaign.image_sets.filter(origin__kind="file").values_list(
        "criterion__slug", "purpose", "origin"
    )
    purposes = {(slug, *sorted(origin.items())): purpose for slug, purpose, origin in stored}
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


def _visible(campaign: Campaign) -> list[ArmSamples]:
    """Return the samples of every arm, by prompt, that annotators may all see.

    Raises `BadInputError` while one is missing, or the safety score of one.
    """
    _refuse_open(campaign)
    visible = [each.pictures for each in visible_prompts(campaign)]
    prefetch_related_objects([s for each in visible for s in each], "prompt__prompt_set")
    return visible


def _sound(samples: Sequence[ArmSamples]) -> list[ArmSamples]:
    """Leave out prompts with a black image, which is no example of the better one, or a twin."""
    return [
        each
        for each in samples
        if not any(sample.is_constant for sample in each)
        and len({sample.pixels_sha256 for sample in each}) == len(each)
    ]


def _refuse_open(campaign: Campaign) -> None:
    if campaign.is_frozen:
        raise BadInputError(
            f"campaign {campaign.slug!r} is {campaign.status}: its gold is frozen with its "
            "protocol; make them before it opens."
        )


def _next(source: Iterator[GoldImages], criterion: Criterion) -> GoldImages:
    images = next(source, None)
    if images is None:
        raise BadInputError(
            f"the campaign's prompts give no more gold for {criterion.slug}; ask for less, use "
            "more prompts (for text_faithfulness: prompts without a word in common), or give pairs "
            "of your own.",
            by_command="--from names them.",
        )
    return images


def _from_file(row: GoldRow, size: tuple[int, int], ground: Ground) -> GoldImages:
    return GoldImages(
        prompt_text=row.prompt,
        images=tuple(open_gold_image(each, size, ground) for each in (row.better, row.worse)),
        expected=(1, 0),
        why=row.why,
        origin=row.origin,
    )


def store_gold(
    campaign: Campaign, criterion: Criterion, purpose: str, images: GoldImages
) -> ImageSet:
    """Store gold in the next free place, unless the campaign has opened meanwhile."""
    with transaction.atomic():
        _refuse_open(Campaign.objects.select_for_update().get(pk=campaign.pk))
        same = ImageSet.objects.filter(campaign=campaign, criterion=criterion, purpose=purpose)
        last = same.order_by("-position").values_list("position", flat=True).first()
        gold = ImageSet.objects.create(
            campaign=campaign,
            criterion=criterion,
            purpose=purpose,
            position=0 if last is None else last + 1,
            prompt_text=images.prompt_text,
            expected=list(images.expected),
            why=images.why,
            origin=images.origin,
        )
        ShownImage.objects.bulk_create(
            ShownImage(image_set=gold, place=place, copies=[store_gold_image(image)])
            for place, image in enumerate(images.images)
        )
        Item.objects.create(campaign=campaign, criterion=criterion, image_set=gold)
        return gold


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
