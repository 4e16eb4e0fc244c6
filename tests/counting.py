"""Counting a campaign's votes by hand, to hold what the database keeps against."""

from collections import Counter
from itertools import combinations

from evalplatform.annotation.models import Assignment, Vote
from evalplatform.campaigns.models import Campaign, Item
from evalplatform.tallies.folding import fold
from evalplatform.tallies.models import Activity, ItemTally


def assert_tallies_are_true(campaign: Campaign) -> None:
    """Hold every tally and every sum against the votes themselves, one by one."""
    fold([campaign.pk])
    said: dict[int, list[list[int]]] = {}
    by_person: Counter[int] = Counter()
    counting = Vote.objects.filter(
        assignment__campaign=campaign, assignment__purpose="main", retracted_at=None, exclusion=None
    )
    for item, person, grades in counting.values_list("assignment__item", "annotator", "grades"):
        said.setdefault(item, []).append(grades)
        by_person[person] += 1
    tallies = {each.item_id: each for each in ItemTally.objects.filter(campaign=campaign)}
    assert set(said) <= set(tallies)
    for item, tally in tallies.items():
        assert_tally(tally, said.get(item, []))
    complete = sum(
        len(said.get(each.pk, [])) >= each.criterion.k
        for each in Item.objects.main().filter(campaign=campaign).select_related("criterion")
    )
    rows = list(Activity.objects.filter(campaign=campaign))
    kept: Counter[int] = Counter()
    for row in rows:
        kept[row.annotator_id] += row.votes
    assert +kept == +by_person
    assert sum(row.completed for row in rows) == complete
    slots = Assignment.objects.main().filter(campaign=campaign).count()
    assert campaign.pulse.slots == slots


def assert_tally(tally: ItemTally, votes: list[list[int]]) -> None:
    assert tally.votes == len(votes), tally
    assert tally.ties == sum(len(each) > 1 and len(set(each)) == 1 for each in votes)
    counts = Counter("{" + ",".join(map(str, each)) + "}" for each in votes)
    assert tally.said == dict(counts)
    if not votes:
        assert tally.points == []
    elif len(votes[0]) == 1:
        assert tally.points == [sum(grade for (grade,) in votes)]
    else:
        assert tally.points == [
            sum((mine > other) - (mine < other) for each in votes for other in each
                for mine in [each[place]])
            for place in range(len(votes[0]))
        ]  # fmt: skip
    pairs = list(combinations(map(tuple, votes), 2))
    if pairs:
        assert abs(tally.disagreement - sum(a != b for a, b in pairs) / len(pairs)) < 1e-12
    else:
        assert tally.disagreement is None
