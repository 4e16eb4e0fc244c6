"""Making a campaign, and what of a draft may change."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.db import IntegrityError, transaction

from evalplatform.accounts.models import Project, User
from evalplatform.accounts.projects import refuse_foreign
from evalplatform.campaigns.criteria import CriterionPlan, check_plans
from evalplatform.campaigns.designs import Design
from evalplatform.campaigns.forms import form_named
from evalplatform.campaigns.models import Arm, Campaign, ChosenImage, Criterion
from evalplatform.campaigns.prompt_filter import PromptFilter, filter_prompts, refuse_nothing_left
from evalplatform.campaigns.rules import Rules
from evalplatform.campaigns.selectors import images_of_prompts, planned_keys, set_plan
from evalplatform.campaigns.services.arms import new_arm, refuse_gaps, refuse_retired_maker
from evalplatform.campaigns.translations import translations_of
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.errors import BadInputError
from evalplatform.generation.models import SamplerSettings
from evalplatform.images.models import ImageCollection
from evalplatform.promptsets.models import PromptSet

RESERVED = {"new", "compare"}  # names that stand for pages: /campaigns/new/


def create_campaign(
    *,
    project: Project,
    slug: str,
    arms: Sequence[Checkpoint | ImageCollection],
    prompt_sets: Sequence[PromptSet],
    criteria: Sequence[CriterionPlan],
    settings: dict[str, Any],
    seed: int,
    design: str = "all-pairs",
    prompt_filter: PromptFilter = PromptFilter(),  # noqa: B008 (frozen)
    prompts_per_set: int | None = None,
    images_per_prompt: int = 1,
    rules: Rules = Rules(),  # noqa: B008 (frozen)
    chosen: Mapping[int, str] | None = None,
    created_by: User | None = None,
) -> tuple[Campaign, bool]:
    """Create a draft campaign, or return the existing one of that slug if it asks the same.

    `arms` by place; `design` says who meets whom (`campaigns.designs`). The prompts that the filter
    leaves are decided now and kept; `prompts_per_set` is drawn from them. Until it opens, shares
    that its rules let through (`samples`) may be given anew. `chosen`: keys of the images of its
    one collection that it asks about, where not of all, each with what is shown in place of its
    prompt (or "").

    Raises `BadInputError` for k < 1, an arm given twice, one that is retired (an existing campaign
    goes on with it) or another project's and not shared, a design or form that does not fit so
    many arms, a filter that leaves no prompt, or a slug already used for another protocol.
    """
    if slug in RESERVED:
        raise BadInputError(f"{slug!r} is an address of the site's own; choose another name.")
    check_plans(criteria)
    _check(arms, prompt_sets, criteria, Design.parse(design))
    with transaction.atomic():
        sampler_settings, _ = SamplerSettings.objects.get_or_create(**settings)
        existing = _existing(project, slug)
        wanted: dict[str, Any] = {
            "settings": sampler_settings,
            "seed": seed,
            "design": design,
            "prompt_filter": prompt_filter.seeded(seed).as_dict(),
            "prompts_per_set": prompts_per_set,
            "images_per_prompt": images_per_prompt,
            "rules": rules.as_dict(),
        }
        if existing:
            wanted["rules"] = _rules_given_again(existing, rules)
            _refuse_difference(existing, wanted, arms, prompt_sets, criteria, chosen or {})
            return existing, False
        _refuse_unusable(project, arms, prompt_sets)
        filtered = _filtered(prompt_sets, prompt_filter, seed)
        campaign = _saved(project, slug, created_by, filtered_prompts=filtered, **wanted)
        _fill(campaign, arms, prompt_sets, criteria, chosen or {})
    return campaign, True


def _existing(project: Project, slug: str) -> Campaign | None:
    """Return the project's campaign of this name, locked. Raises for one of another project."""
    found = Campaign.objects.select_for_update().filter(slug=slug).first()
    if found and found.project_id != project.pk:
        raise BadInputError(f"the name {slug!r} is taken in another project; choose another name.")
    return found


def _saved(project: Project, slug: str, created_by: User | None, **asked: Any) -> Campaign:
    """Return the new campaign's row. Raises where somebody else makes one of this name now."""
    try:
        return Campaign.objects.create(
            project=project,
            slug=slug,
            lease_seconds=django_settings.ASSIGNMENT_LEASE_SECONDS,
            created_by=created_by,
            **asked,
        )
    except IntegrityError as error:
        raise BadInputError(f"campaign {slug!r} is being created elsewhere; retry.") from error


def _filtered(
    prompt_sets: Sequence[PromptSet], prompt_filter: PromptFilter, seed: int
) -> list[int] | None:
    """Return the keys of the prompts that are left; None where nothing is asked of them."""
    if not prompt_filter.as_dict():
        return None
    found = filter_prompts(prompt_sets, prompt_filter, seed)
    refuse_nothing_left(found)
    return [each.pk for each in found.prompts]


def _refuse_unusable(
    project: Project,
    arms: Sequence[Checkpoint | ImageCollection],
    prompt_sets: Sequence[PromptSet],
) -> None:
    for maker in arms:
        refuse_retired_maker(maker)
    for each in [*arms, *prompt_sets]:
        refuse_foreign(project, each)


def _fill(
    campaign: Campaign,
    arms: Sequence[Checkpoint | ImageCollection],
    prompt_sets: Sequence[PromptSet],
    criteria: Sequence[CriterionPlan],
    chosen: Mapping[int, str],
) -> None:
    rules = campaign.checked_rules.annotation
    campaign.prompt_sets.set(prompt_sets)
    Arm.objects.bulk_create(new_arm(campaign, place, each) for place, each in enumerate(arms))
    ChosenImage.objects.bulk_create(
        (ChosenImage(campaign=campaign, image_id=key, text=text) for key, text in chosen.items()),
        batch_size=5000,
    )
    Criterion.objects.bulk_create(
        Criterion(
            campaign=campaign,
            position=position,
            **_asked(plan) | {"translations": translations_of(plan, rules)},
        )
        for position, plan in enumerate(criteria)
    )
    set_plan(campaign, sum(images_of_prompts(campaign, planned_keys(campaign))))  # all arms meet
    if chosen:
        return  # of these it has no gaps
    for arm in campaign.contenders:
        refuse_gaps(campaign, arm)


def _rules_given_again(campaign: Campaign, rules: Rules) -> dict[str, Any]:
    """Return the rules with what is not given again as it was; a draft takes new shares."""
    kept = campaign.checked_rules.samples.model_dump(exclude_unset=True)
    given = rules.samples.model_dump(exclude_unset=True)
    wanted = rules.with_samples(**kept | given).as_dict()
    if not campaign.is_frozen:
        _let_through(campaign, wanted["samples"])
    return wanted


def _asked(plan: CriterionPlan) -> dict[str, Any]:
    asked = asdict(plan) | {"heads": list(plan.heads)}
    del asked["translations"]
    return asked


def plan_opening(*, campaign: Campaign, gold_file: Path | None, opens_when_ready: bool) -> None:
    """Note how `run_eval` goes on once all samples are there; None keeps the file noted before."""
    campaign.opens_when_ready = opens_when_ready
    if gold_file is not None:
        campaign.gold_file = str(gold_file.absolute())
    campaign.save(update_fields=["opens_when_ready", "gold_file"])


def allow(*, campaign: Campaign, **shares: float | None) -> None:
    """Let through these shares of faulty samples (`SampleRules`); None leaves one as it is.

    Raises `BadInputError` once the campaign has opened: its rules are frozen.
    """
    given = {name: value for name, value in shares.items() if value is not None}
    if not given:
        return
    with transaction.atomic():
        locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if locked.is_frozen:
            raise BadInputError(
                f"campaign {campaign.slug!r} is {locked.status}: what it lets through is frozen "
                "with its protocol; leave these shares out, or choose another name."
            )
        _let_through(locked, locked.checked_rules.with_samples(**given).as_dict()["samples"])
    campaign.refresh_from_db()


def _let_through(campaign: Campaign, shares: dict[str, float]) -> None:
    campaign.rules = campaign.rules | {"samples": shares}
    campaign.save(update_fields=["rules"])
    campaign.__dict__.pop("checked_rules", None)  # cached


def _check(
    arms: Sequence[Checkpoint | ImageCollection],
    prompt_sets: Sequence[PromptSet],
    criteria: Sequence[CriterionPlan],
    design: Design,
) -> None:
    names = [each.name for each in arms]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadInputError(f"{twice!r} cannot be compared with itself; name each arm once.")
    if not prompt_sets:
        raise BadInputError("no prompt set; give at least one.")
    several = [plan for plan in criteria if form_named(plan.form).most > 1]
    if not several:
        return
    if len(arms) < 2:
        raise BadInputError(
            f"{several[0].slug!r} is asked as {several[0].form!r}, which compares images of two or "
            f"more arms; {len(arms)} given."
        )
    design.check(names)
    size = design.size or len(arms)
    for plan in several:
        if not form_named(plan.form).takes(size):
            raise BadInputError(
                f"design {design} shows sets of {size} images, and {plan.slug!r} is asked as "
                f"{plan.form!r}; pairs go with all-pairs, against=NAME or random=M, a ranking with "
                "together (3 to 8 arms)."
            )


def _refuse_difference(
    campaign: Campaign,
    wanted: dict[str, Any],
    arms: Sequence[Checkpoint | ImageCollection],
    prompt_sets: Sequence[PromptSet],
    criteria: Sequence[CriterionPlan],
    chosen: Mapping[int, str],
) -> None:
    changed = [name for name, value in wanted.items() if getattr(campaign, name) != value]
    if [arm.maker for arm in campaign.contenders] != list(arms):
        changed.append("arms")
    if set(campaign.prompt_sets.all()) != set(prompt_sets):
        changed.append("prompt sets")
    if dict(campaign.chosen.values_list("image", "text")) != dict(chosen):
        changed.append("images asked about")
    rules = campaign.checked_rules.annotation
    asked = [
        _asked(plan) | ({"translations": translations_of(plan, rules)} if plan.translations else {})
        for plan in criteria
    ]
    there = list(campaign.criteria.all())
    if len(there) != len(asked) or any(
        getattr(row, name) != value
        for row, plan in zip(there, asked, strict=True)
        for name, value in plan.items()
    ):
        changed.append("criteria, k or forms")
    if changed:
        raise BadInputError(
            f"campaign {campaign.slug!r} exists with a different protocol "
            f"({', '.join(changed)}); choose another name, or repeat its settings to resume it."
        )
