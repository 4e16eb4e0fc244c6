"""The campaigns by which people judge a pool's images."""

from collections.abc import Mapping

from evalplatform.accounts.models import User
from evalplatform.campaigns.criteria import CriterionPlan
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.rules import Door, Rules, parse_rules
from evalplatform.campaigns.services import close_campaign, create_campaign
from evalplatform.core.errors import BadInputError
from evalplatform.curation.models import Pool

GivenRules = Mapping[str, Mapping[str, object]]
# Nothing of a pool is sampled; a campaign says how its images would be.
_SAMPLER = {
    "sampler": "ddim", "steps": 25, "guidance_scale": 4.0, "negative_prompt": "", "height": None,
    "width": None,
}  # fmt: skip


def create_pool_campaign(
    *,
    pool: Pool,
    name: str,
    criterion: CriterionPlan,
    texts: Mapping[int, str],
    rules: Rules,
    created_by: User | None,
) -> Campaign:
    """Make the campaign POOL-NAME about these images, by key, each with the text shown with it.

    An empty text stands for the image's own prompt. Raises `BadInputError` where there is a
    campaign of that name.
    """
    prompt_set = pool.collection.prompt_set
    assert prompt_set  # every pool brings captions or was sampled for prompts
    campaign, is_new = create_campaign(
        project=pool.project, slug=f"{pool.name}-{name}", arms=[pool.collection],
        prompt_sets=[prompt_set], criteria=[criterion], settings=_SAMPLER,
        seed=int(pool.collection.sha256[:8], 16), rules=rules, chosen=dict(texts),
        created_by=created_by,
    )  # fmt: skip
    if not is_new:
        raise BadInputError(f"there is a campaign {campaign.slug!r} that is none of {pool}.")
    return campaign


def pool_rules(*, invited: bool, gold_rate: float | None, further: GivenRules) -> Rules:
    """Return the rules: the pool was filtered before, so that no faults are counted here.

    `gold_rate`: of hidden gold; None where there is none. `further`: on top of that.
    """
    given: dict[str, dict[str, object]] = {
        "samples": {"allow_constant": 1.0, "allow_identical": 1.0},
        "quality": {} if gold_rate is None else {"gold_rate": gold_rate},
        "annotation": {"door": Door.INVITATIONS.value} if invited else {},
    }
    for section, values in further.items():
        given[section] = given.get(section, {}) | dict(values)
    return parse_rules(given, "the stage's rules")


def refuse_gold_rate(rate: float) -> None:
    """Raise `BadInputError` for a share of hidden gold that cannot be."""
    if not 0 < rate <= 0.5:
        raise BadInputError(f"the rate of gold {rate}: give a share above 0, up to 0.5.")


def close_for_deciding(campaign: Campaign) -> None:
    """Close a campaign and wait for whoever is just voting: no vote comes after that."""
    close_campaign(campaign=campaign)
    # Whoever is sending a vote holds their enrolment: it is stored and counts, or comes late.
    list(campaign.enrolments.select_for_update().values_list("pk"))
