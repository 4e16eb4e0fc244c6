"""Results computed once: kept until something that they hang on changes."""

import logging
import pickle

from django.core.cache import caches

from evalplatform.campaigns.models import Campaign
from evalplatform.reports.fingerprint import fingerprint
from evalplatform.reports.result_types import CampaignResults
from evalplatform.reports.results import campaign_results

logger = logging.getLogger(__name__)


def results_of(campaign: Campaign) -> CampaignResults:
    """Return the campaign's results as they stand, computed only where none are kept.

    The fingerprint is taken before anything is read: what is kept under it is as new as it says
    or newer, never older. The campaign is read again, so what a caller holds may be old.
    """
    if campaign.status in (Campaign.Status.DRAFT, Campaign.Status.GENERATING):
        return campaign_results(campaign)  # no votes: nothing to save, and samples still come
    state = fingerprint(campaign)
    kept = _kept(campaign)
    if kept and kept[0] == state:
        found: CampaignResults = pickle.loads(kept[1])
        return found
    results = campaign_results(Campaign.objects.get(pk=campaign.pk))
    _keep(campaign, state, results)
    return results


# One entry a campaign, replaced as it goes on. Results are pickled apart from their fingerprint:
# those of other code are told by that and never unpickled.


def _kept(campaign: Campaign) -> tuple[str, bytes] | None:
    try:
        kept: tuple[str, bytes] | None = caches["results"].get(str(campaign.pk))
    except Exception as error:
        # Whatever is wrong with the cache, the results can be computed.
        logger.warning("the results of %s could not be read from the cache: %s", campaign, error)
        return None
    return kept


def _keep(campaign: Campaign, state: str, results: CampaignResults) -> None:
    try:
        caches["results"].set(str(campaign.pk), (state, pickle.dumps(results)))
    except OSError as error:
        logger.warning("the results of %s could not be kept in the cache: %s", campaign, error)
