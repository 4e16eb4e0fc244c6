"""Background work on results."""

from celery import shared_task

from evalplatform.campaigns.models import Campaign
from evalplatform.reports.cached import compute_if_changed
from evalplatform.reports.computing import TASK


@shared_task(name=TASK)
def compute_results(campaign: int) -> str:
    """Compute a campaign's results anew; return what became of it."""
    found = Campaign.objects.filter(pk=campaign).first()
    if found is None:
        return "no such campaign any more"
    return "computed" if compute_if_changed(found) else "nothing to do, or somebody does it"
