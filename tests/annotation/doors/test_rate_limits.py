"""How often something may be tried, counted once for all processes."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from evalplatform.annotation.doors.rate_limits import (
    OverLimitError,
    count_enrolment,
    count_wrong_link,
)
from evalplatform.annotation.models import RateCount
from evalplatform.annotation.services import forget_places
from tests import factories

HERE = "203.0.113.9"


@pytest.fixture
def campaign(db):
    return factories.make_draft(sampled=False, prompts=1)


def tries(campaign, count, now, network=HERE) -> int:
    """Return how many of so many tries are let through."""
    passed = 0
    for _ in range(count):
        try:
            count_enrolment(campaign=campaign, network=network, now=now)
            passed += 1
        except OverLimitError:
            pass
    return passed


def test_period_begins_with_the_first_try_and_says_when_it_ends(settings, campaign):
    settings.ENROLMENTS_PER_ADDRESS = 2
    begun = timezone.now()
    assert tries(campaign, 2, begun) == 2
    with pytest.raises(OverLimitError) as over:
        count_enrolment(campaign=campaign, network=HERE, now=begun + timedelta(minutes=20))
    assert over.value.retry_after == 40 * 60
    # What was refused does not make the wait longer.
    assert tries(campaign, 3, begun + timedelta(minutes=60)) == 2


def test_addresses_and_campaigns_are_counted_apart(settings, campaign):
    settings.ENROLMENTS_PER_ADDRESS = 2
    now = timezone.now()
    other = factories.make_draft(slug="other", sampled=False, prompts=1)
    assert tries(campaign, 5, now) == 2
    assert tries(campaign, 5, now, "203.0.113.10") == 2
    assert tries(other, 5, now) == 2


def test_limit_of_zero_is_none(settings, campaign):
    settings.ENROLMENTS_PER_ADDRESS = settings.ENROLMENTS_PER_LINK = 0
    assert tries(campaign, 50, timezone.now()) == 50
    assert not RateCount.objects.exists()


def test_no_address_is_stored(campaign):
    tries(campaign, 1, timezone.now())
    assert "203.0" not in str(list(RateCount.objects.values()))


def test_ended_counts_are_forgotten(settings, campaign):
    now = timezone.now()
    tries(campaign, 1, now - timedelta(hours=2))
    count_wrong_link(network=HERE, now=now)
    forget_places(now=now)
    assert RateCount.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_tries_at_the_same_moment_are_all_counted(settings):
    """As processes of the site do it: every thread has its own connection to the database."""
    settings.ENROLMENTS_PER_ADDRESS = 30
    campaign = factories.make_draft(sampled=False, prompts=1)
    now = timezone.now()
    passed: list[int] = []

    def many() -> None:
        try:
            passed.append(tries(campaign, 20, now))
        finally:
            connection.close()

    threads = [threading.Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 8
    assert sum(passed) == 30
    assert set(RateCount.objects.values_list("count", flat=True)) == {160}
