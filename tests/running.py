"""`run_eval` on drafts whose samples are all there, so that no worker is needed."""

from django.core.management import call_command

from evalplatform.campaigns.models import Campaign

# What a campaign has without a rules file; `factories.make_draft` lets annotators begin at the
# first item, where rules do not say otherwise.
AS_USUAL = {"annotation": {"start": "own"}}


def run_eval(campaign: Campaign, *options: str) -> None:
    """Ask anew for what a draft of `factories.make_draft` asks; `options` add what differs."""
    call_command(
        "run_eval", *(arm.name for arm in campaign.contenders),
        f"--prompts={campaign.prompt_sets.get().name}", f"--name={campaign.slug}",
        f"--seed={campaign.seed}", "--steps=4", "--guidance=2", *options,
    )  # fmt: skip
    campaign.refresh_from_db()
    for cached in ("checked_rules", "contenders"):
        campaign.__dict__.pop(cached, None)
