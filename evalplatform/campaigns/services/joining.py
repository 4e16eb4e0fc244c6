"""An arm joins a campaign that is open."""

from datetime import datetime

from evalplatform.accounts.projects import refuse_foreign
from evalplatform.campaigns.designs import Design
from evalplatform.campaigns.models import Arm, Campaign
from evalplatform.campaigns.protocol import arm_in_protocol, protocol_hash, sampler_in_protocol
from evalplatform.campaigns.sample_faults import count_faults
from evalplatform.campaigns.selectors import shown_sets
from evalplatform.campaigns.services.arms import (
    new_arm,
    refuse_gaps,
    refuse_retired,
    refuse_retired_maker,
)
from evalplatform.campaigns.transparent_arms import transparency_once_joined
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.errors import BadInputError
from evalplatform.core.version import code_version
from evalplatform.images.models import ImageCollection


def check_newcomer(campaign: Campaign, maker: Checkpoint | ImageCollection) -> None:
    """Raise `BadInputError` where an arm cannot join a campaign, whatever images it has.

    It is an arm already or retired, or no arm at all can join, see `refuse_any_newcomer`.
    """
    refuse_any_newcomer(campaign)
    refuse_retired_maker(maker)
    _refuse_maker(campaign, maker)


def refuse_any_newcomer(campaign: Campaign) -> None:
    """Raise `BadInputError` where no arm at all can join.

    The campaign is not open, is one of a series, or shows all its arms together.
    """
    if campaign.why_not_growing:
        raise BadInputError(campaign.why_not_growing)
    if any(criterion.shape.most > 1 for criterion in campaign.criteria.all()):
        Design.parse(campaign.design).refuse_newcomer()


def _refuse_maker(campaign: Campaign, maker: Checkpoint | ImageCollection) -> None:
    refuse_foreign(campaign.project, maker)
    if maker in [arm.maker for arm in campaign.contenders]:
        raise BadInputError(f"{maker.name!r} is an arm of {campaign.slug!r} already.")


def why_not_joining(campaign: Campaign, maker: Checkpoint | ImageCollection) -> str:
    """Return why this one cannot join a campaign that others can, or ""; nothing is locked.

    The words are those with which it would be refused.
    """
    try:
        refuse_retired(maker)
        _refuse_maker(campaign, maker)
        refuse_gaps(campaign, new_arm(campaign, len(campaign.contenders), maker))
    except BadInputError as error:
        return str(error)
    return ""


def create_newcomer(
    *, campaign: Campaign, maker: Checkpoint | ImageCollection, now: datetime
) -> Arm:
    """Add an arm to a campaign that is open or paused; its items follow in the same transaction.

    The caller holds the campaign's row lock. Raises `BadInputError` as `check_newcomer` does.
    """
    check_newcomer(campaign, maker)
    arm = new_arm(campaign, len(campaign.contenders), maker, joined_at=now)
    arm.save()
    refuse_gaps(campaign, arm)
    campaign.__dict__.pop("contenders", None)  # cached
    return arm


def amend_protocol(*, campaign: Campaign, newcomer: Arm, items: int, now: datetime) -> None:
    """Record in the protocol that an arm joined, and under which hash it was frozen before.

    Raises as `transparency_once_joined` does where images cannot be read.
    """
    protocol = dict(campaign.protocol or {})
    amendment = {
        "at": now.isoformat(),
        "what": "arm joined",
        "arm": arm_in_protocol(newcomer),
        "items": items,
        "protocol_sha256_before": campaign.protocol_sha256,
        "code_version": code_version(),
    }
    protocol["amendments"] = [*protocol.get("amendments", []), amendment]
    protocol["arms"] = [*protocol["arms"], arm_in_protocol(newcomer)]
    protocol |= sampler_in_protocol(campaign)  # the first checkpoint beside collections
    protocol["samples"] = count_faults(campaign, shown_sets(campaign)).as_dict()
    protocol |= transparency_once_joined(campaign.contenders, newcomer, protocol)
    campaign.protocol, campaign.protocol_sha256 = protocol, protocol_hash(protocol)
    campaign.save(update_fields=["protocol", "protocol_sha256"])
