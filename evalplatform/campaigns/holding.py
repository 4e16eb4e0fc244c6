"""Why a campaign whose images are there and checked does not open."""

from collections.abc import Sequence

from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.safety import screen
from evalplatform.campaigns.sample_faults import refuse_faults
from evalplatform.campaigns.selectors import ReadySet
from evalplatform.core.errors import BadInputError


def why_held(campaign: Campaign, sets: Sequence[ReadySet]) -> BadInputError | None:
    """Return why these sets, all that are planned, would not open; None where they would.

    A `FaultySamplesError` says which shares would have to be let through.
    """
    try:
        refuse_faults(campaign, screen(campaign, sets).passed)
    except BadInputError as error:
        return error
    return None
