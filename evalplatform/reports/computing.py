"""Asking for newer results in the background, and what a page shows meanwhile.

A worker of the default queue computes them. Where none takes it within seconds, because none runs
or it has images to make, the web process that is asked next starts a process of its own for it.
"""

import logging
import os
import subprocess
import sys
from datetime import datetime, timedelta

from celery import current_app
from django.conf import settings

from evalplatform.campaigns.models import Campaign
from evalplatform.reports.cached import LastResults, is_rested, last_results, results_of
from evalplatform.reports.models import KeptResults
from evalplatform.tallies.selectors import live_numbers

logger = logging.getLogger(__name__)

TASK = "reports.compute_results"
AT_ONCE = 1500  # votes whose results a page computes itself: a fraction of a second
_PATIENCE = timedelta(seconds=5)  # for a worker to begin
_START = timedelta(seconds=60)  # for a process of our own to begin
_MESSAGE_SECONDS = 60  # a worker that comes later than this finds nothing to do
_started: list[subprocess.Popen[bytes]] = []


def standing_of(campaign: Campaign, now: datetime) -> LastResults:
    """Return the results that a page shows: at once, and asked for anew where they are older.

    A campaign of few votes, or with none yet, has those of this moment.
    """
    if campaign.status in (Campaign.Status.DRAFT, Campaign.Status.GENERATING):
        return LastResults(campaign, results_of(campaign), "", is_current=True)
    standing = last_results(campaign)
    if standing.is_current:
        return standing
    if live_numbers(campaign, now).votes <= AT_ONCE:
        results_of(campaign)
        return last_results(campaign)
    ask(campaign, now)
    return standing


def ask(campaign: Campaign, now: datetime) -> None:
    """See to it that somebody computes; returns at once. Asked often, it is done once."""
    row, _ = KeptResults.objects.get_or_create(campaign=campaign)
    if not is_rested(row, now):
        return
    unchanged = KeptResults.objects.filter(campaign=campaign, asked_at=row.asked_at)
    if row.asked_at is None:
        if unchanged.update(asked_at=now) and not _sent(campaign):
            _start_process(campaign)
    elif now - row.asked_at >= _PATIENCE and unchanged.update(asked_at=now + _START):
        _start_process(campaign)


def _sent(campaign: Campaign) -> bool:
    """Ask the workers; return whether the broker took the message."""
    try:
        current_app.send_task(
            TASK, args=[campaign.pk], queue="default", expires=_MESSAGE_SECONDS, retry=False
        )
    except Exception as error:
        # Whatever is wrong with the broker, the results can be computed here.
        logger.warning("no worker could be asked for the results of %s: %s", campaign, error)
        return False
    return True


def _start_process(campaign: Campaign) -> None:
    """Compute beside the site, in a process that gives way to it."""
    _started[:] = [each for each in _started if each.poll() is None]
    command = [sys.executable, "-m", "django", "compute_results", str(campaign.slug)]
    child = subprocess.Popen(
        command,
        cwd=settings.BASE_DIR,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE},
    )
    _started.append(child)
