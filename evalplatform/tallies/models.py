"""Counts that the database keeps as votes come in, so that no page has to count.

What voters change is noted by triggers, a line a change in the transaction of whatever changed
(`tallies/sql/pending.sql`): a voter writes no count and waits for nobody. Whoever reads the counts
has the lines added up first (`folding`, `selectors`), so they are as exact as a count would be.
What no voter changes (`Pulse`) is counted at once.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from evalplatform.accounts.models import Annotator
from evalplatform.campaigns.models import Campaign, Criterion, Item


class Pending(models.Model):
    """A change that is noted and not counted yet: gone as soon as somebody reads the counts.

    It refers to rows that may be deleted before: no constraint is checked for every vote, and such
    lines are dropped as the rest is counted.
    """

    campaign = models.ForeignKey(
        Campaign, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    item = models.ForeignKey(
        Item, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    annotator = models.ForeignKey(
        Annotator,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    grades = ArrayField(models.SmallIntegerField(), help_text="Of its vote; empty where none is.")
    at = models.DateTimeField(help_text="When what happened was sent.")
    difference = models.SmallIntegerField(
        help_text="1 where a vote on an item came to count, -1 where it ceased to, else 0."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="pending_is_one_vote", condition=Q(difference__gte=-1, difference__lte=1)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.difference:+d} on {self.item_id} by {self.annotator_id}"


class ItemTally(models.Model):
    """What was said of an item so far, by the votes that count; made as its first are counted.

    All but `said` follows from it: `tallies_derive` fills it in. Read after `folding.fold`.
    """

    item = models.OneToOneField(
        Item, on_delete=models.CASCADE, primary_key=True, related_name="tally"
    )
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="tallies")
    # Denormalised from the item so that its images are found and sorted by reading this alone.
    criterion = models.ForeignKey(
        Criterion, on_delete=models.CASCADE, related_name="tallies", db_index=False
    )
    wanted = models.PositiveSmallIntegerField(help_text="Its criterion's k.")
    said = models.JSONField(help_text="How many votes gave these grades, by grades: {'{1,0}': 3}.")
    votes = models.PositiveIntegerField()
    ties = models.PositiveIntegerField(help_text="Votes that prefer none of several images.")
    points = ArrayField(
        models.IntegerField(),
        help_text="By place: images it was put before minus those it was put behind, over all"
        " votes; of one image the sum of its grades. Empty where no vote counts.",
    )
    disagreement = models.FloatField(
        null=True, help_text="Share of pairs of votes that differ, 0 to 1; null below two votes."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="item_tally_is_a_count",
                condition=Q(votes__gte=0, ties__gte=0, ties__lte=models.F("votes")),
            ),
            models.CheckConstraint(
                name="item_tally_disagreement_is_share",
                condition=Q(disagreement__isnull=True)
                | Q(disagreement__gte=0, disagreement__lte=1),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.votes} of {self.wanted} votes on {self.item_id}"


class Activity(models.Model):
    """What one annotator did in a campaign in a quarter of an hour.

    A campaign's counts are sums over these rows. Read by `selectors`, or after `folding.fold`.
    """

    campaign = models.ForeignKey(
        Campaign,
        on_delete=models.CASCADE,
        related_name="activity",
        db_index=False,  # activity_one_a_quarter begins with it
    )
    annotator = models.ForeignKey(Annotator, on_delete=models.CASCADE, related_name="activity")
    quarter = models.DateTimeField(help_text="When the quarter of an hour began.")
    votes = models.IntegerField(help_text="Votes on items, cast in it, that count now.")
    completed = models.IntegerField(help_text="Items that these votes completed.")
    changes = models.BigIntegerField(
        help_text="All that happened: votes taken back, excluded, on checks, skips too. Rises."
    )
    last_at = models.DateTimeField(help_text="When the last of it was sent.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "annotator", "quarter"], name="activity_one_a_quarter"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.votes} votes of {self.annotator_id} at {self.quarter:%Y-%m-%d %H:%M}"


class Pulse(models.Model):
    """A campaign's counts that no voter changes."""

    campaign = models.OneToOneField(
        Campaign, on_delete=models.CASCADE, primary_key=True, related_name="pulse"
    )
    slots = models.PositiveIntegerField(default=0, help_text="Votes wanted: slots of its items.")
    changes = models.BigIntegerField(
        default=0, help_text="Changes of its sets, images and prompts. Only rises."
    )

    def __str__(self) -> str:
        return f"{self.slots} slots, {self.changes} changes of {self.campaign_id}"
