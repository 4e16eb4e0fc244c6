"""How a campaign goes, at once: sums over counts that are kept as votes come in.

Each has what is noted and not counted yet counted first, or adds it: it is as of all votes that
were committed as it was called. In a transaction that sees one moment only (REPEATABLE READ), or
may not write (READ ONLY, a standby), nothing can be counted, and all of these add it, as of that
moment; only `LiveNumbers.items_complete` is of the last fold there. So is what is read of single
items after `folding.fold`: a page of images or of a set, and the state of a flow's batch.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from evalplatform.campaigns.models import Campaign
from evalplatform.tallies.folding import UNAWAITED, is_alone

AT_WORK = timedelta(minutes=5)  # somebody who sent something in this time is at work
RECENT = timedelta(minutes=45)  # the rate is of so long and of the quarter that has begun since
_LEAST = timedelta(minutes=1)  # of which a rate can be said

_SUMS = f"""
SELECT {UNAWAITED}, coalesce(sum(votes), 0), coalesce(sum(completed), 0),
    count(DISTINCT annotator_id) FILTER (WHERE votes > 0),
    count(DISTINCT annotator_id) FILTER (WHERE last_at > %(at_work)s AND last_at <= %(now)s),
    coalesce(sum(votes) FILTER (WHERE quarter >= %(recent)s AND quarter <= %(now)s), 0),
    min(quarter) FILTER (WHERE quarter >= %(recent)s AND quarter <= %(now)s), max(last_at),
    (SELECT slots FROM tallies_pulse WHERE campaign_id = %(campaign)s)
FROM tallies_activity_of(%(campaign)s)
"""


@dataclass(frozen=True)
class LiveNumbers:
    """Exact counts of votes that count, checks not among them, at the moment they were read.

    `per_hour` is of the last three quarters of an hour and the one that has begun; `ends_at` is
    when the rest is done at that rate, None where none comes in, nothing is left or it is closed.
    """

    votes: int
    votes_wanted: int
    items_complete: int
    items: int
    people: int
    at_work: int
    per_hour: float
    last_at: datetime | None
    ends_at: datetime | None
    now: datetime

    @property
    def is_complete(self) -> bool:
        """Whether every item has its k votes."""
        return 0 < self.votes_wanted <= self.votes

    @property
    def share(self) -> float:
        """Votes of those wanted, 0 to 1."""
        return min(1.0, self.votes / self.votes_wanted) if self.votes_wanted else 0.0

    @property
    def left(self) -> timedelta | None:
        """How long the rest takes at this rate."""
        return self.ends_at - self.now if self.ends_at else None


@dataclass(frozen=True)
class VoteCounts:
    """How many of a campaign's slots have their vote, checks not among them."""

    items: int
    votes: int
    votes_wanted: int

    @property
    def is_complete(self) -> bool:
        """Whether every item has its k votes."""
        return 0 < self.votes_wanted <= self.votes

    @property
    def votes_missing(self) -> int:
        """How many of those wanted are not there."""
        return max(0, self.votes_wanted - self.votes)


# Added to what is counted, and not counted first: a list of campaigns is no reason to.
_SUMS_OF_SEVERAL = """
WITH noted AS MATERIALIZED (
    SELECT campaign_id, sum(difference) AS votes FROM tallies_pending
    WHERE campaign_id = ANY(%(campaigns)s) GROUP BY campaign_id
)
SELECT p.campaign_id, p.slots,
    coalesce((SELECT sum(a.votes) FROM tallies_activity a WHERE a.campaign_id = p.campaign_id), 0)
    + coalesce((SELECT noted.votes FROM noted WHERE noted.campaign_id = p.campaign_id), 0)
FROM tallies_pulse p WHERE p.campaign_id = ANY(%(campaigns)s)
"""


def vote_counts(campaigns: Iterable[Campaign]) -> dict[int, VoteCounts]:
    """Return each campaign's counts by its id, in one query for all and without counting votes.

    It waits for nobody who counts what is noted.
    """
    listed = list(campaigns)
    with connection.cursor() as cursor:
        cursor.execute(_SUMS_OF_SEVERAL, {"campaigns": [each.pk for each in listed]})
        found = {campaign: (votes, slots) for campaign, slots, votes in cursor.fetchall()}
    return {each.pk: VoteCounts(each.item_count, *found.get(each.pk, (0, 0))) for each in listed}


# Every change of votes, late answer and skip of a campaign, counted or noted: it only rises, and
# tells any two committed states apart. Folding leaves it as it is, so it may be read in a
# transaction that sees one moment only.
CHANGES = """(
    (SELECT coalesce(sum(a.changes), 0) FROM tallies_activity a
        WHERE a.campaign_id = %(campaign)s)
    + (SELECT count(*) FROM tallies_pending n WHERE n.campaign_id = %(campaign)s)
)"""


def changes_of(campaign: int) -> int:
    """Return how much has happened in a campaign, by id: a number that rises with every change."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {CHANGES}", {"campaign": campaign})
        (changes,) = cursor.fetchone()
    return int(changes)


def live_numbers(campaign: Campaign, now: datetime) -> LiveNumbers:
    """Return how far a campaign is and how fast it goes, without counting votes.

    It waits for who is counting what is noted of the campaign, and counts what came since.
    """
    begun = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    recent = begun - RECENT
    values: dict[str, int | datetime] = {
        "campaign": campaign.pk, "now": now, "at_work": now - AT_WORK, "recent": recent,
        "is_alone": is_alone(),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, values)
        _, votes, completed, people, at_work, lately, since, last_at, slots = cursor.fetchone()
    wanted = slots or 0
    per_hour = lately / (max(now - since, _LEAST) / timedelta(hours=1)) if since else 0.0
    left = wanted - votes
    goes_on = campaign.status == Campaign.Status.OPEN and left > 0 and per_hour > 0
    return LiveNumbers(
        votes=votes,
        votes_wanted=wanted,
        items_complete=completed,
        items=campaign.item_count,
        people=people,
        at_work=at_work,
        per_hour=per_hour,
        last_at=last_at,
        ends_at=now + timedelta(hours=left / per_hour) if goes_on else None,
        now=now,
    )
