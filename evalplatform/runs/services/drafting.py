"""Keeping drafts: two people may edit one, and nobody's change is lost."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from evalplatform.accounts.models import Project, User
from evalplatform.campaigns.models import Arm, Campaign
from evalplatform.campaigns.protocol import OF_A_CRITERION, facts_of
from evalplatform.core.errors import BadInputError
from evalplatform.runs.choices import DraftChoices, parse_choices
from evalplatform.runs.differences import ChoiceChange, changes_between, clashes, with_changes
from evalplatform.runs.models import Draft, DraftRevision


class DraftConflictError(BadInputError):
    """Somebody else changed the same choices meanwhile; nothing was stored.

    Attributes:
        draft: as it stands.
        theirs: what they changed since the version that this person saw.
        clashes: this person's changes that meet one of theirs.
    """

    def __init__(
        self, draft: Draft, theirs: list[ChoiceChange], clashes: list[ChoiceChange]
    ) -> None:
        self.draft, self.theirs, self.clashes = draft, theirs, clashes
        who = draft.changed_by.get_username() if draft.changed_by else "somebody"
        changed = "; ".join(str(change) for change in theirs[:6]) or "it was launched"
        both = ", ".join(change.name for change in clashes)
        super().__init__(
            f"{who} saved version {draft.version} meanwhile: {changed}. "
            + (f"You both changed {both}. " if both else "")
            + f"Nothing of yours is stored yet; look, and save again over version {draft.version}."
        )


@dataclass(frozen=True)
class SavedDraft:
    """A draft as it is stored now, and what others had changed since this person looked."""

    draft: Draft
    merged: list[ChoiceChange]


def make_draft(
    *,
    project: Project,
    choices: DraftChoices | None = None,
    user: User | None = None,
    title: str = "",
) -> Draft:
    """Make a draft of a project."""
    with transaction.atomic():
        draft = Draft.objects.create(
            project=project,
            choices=(choices or DraftChoices()).as_dict(),
            title=title,
            created_by=user,
            changed_by=user,
        )
        _keep_revision(draft)
    return draft


def copy_campaign(*, campaign: Campaign, project: Project, user: User | None = None) -> Draft:
    """Make a draft that asks what a campaign asked. Raises `BadInputError` for imported votes."""
    return make_draft(project=project, choices=choices_of(campaign), user=user)


def save_draft(
    *, draft: Draft, version: int, choices: Mapping[str, Any], user: User | None, now: datetime
) -> SavedDraft:
    """Store what was chosen over version `version`.

    What others changed since stays, where it is another choice. Raises `DraftConflictError` where
    it is the same, and `BadInputError` for choices that are wrong or a draft that was launched.
    """
    mine = parse_choices(choices).as_dict()
    with transaction.atomic():
        locked = Draft.objects.select_for_update(of=("self",)).get(pk=draft.pk)
        refuse_launched(locked)
        base = _revision(locked, version)
        theirs = changes_between(base, locked.choices)
        wanted = changes_between(base, mine)
        if both := clashes(wanted, theirs):
            raise DraftConflictError(locked, theirs, both)
        joined = parse_choices(with_changes(locked.choices, wanted)).as_dict()
        if joined != locked.choices:
            locked.choices = joined
            locked.version += 1
            locked.changed_by, locked.changed_at = user, now
            locked.save(update_fields=["choices", "version", "changed_by", "changed_at"])
            _keep_revision(locked)
    return SavedDraft(locked, theirs)


def changes_of_others(draft: Draft, version: int) -> list[ChoiceChange]:
    """Return what changed since a version. Raises `BadInputError` where there is none such."""
    return changes_between(_revision(draft, version), draft.choices)


def delete_draft(*, draft: Draft) -> None:
    """Remove a draft; what was made of it stays."""
    draft.delete()


def refuse_launched(draft: Draft) -> None:
    """Raise `BadInputError` for a draft of which a campaign was made."""
    if draft.campaign is not None:
        raise BadInputError(
            f"campaign {draft.campaign.slug!r} was made of this draft, so it changes no more: "
            "wording, arms, prompts and rules are the campaign's. Copy it to ask something else; "
            "an arm can be added to the campaign itself while it is open, and its protocol lists "
            "what was added.",
            by_command=f"`manage.py add_arm {draft.campaign.slug} ARM` adds one.",
        )


def choices_of(campaign: Campaign) -> DraftChoices:
    """Return what a campaign asks, to be asked again. Raises `BadInputError` for imported votes."""
    if campaign.imported_from or campaign.settings is None:
        raise BadInputError(
            f"the votes of {campaign.slug!r} were cast elsewhere: it has no arms here to ask again."
        )
    if campaign.chosen.exists():
        raise BadInputError(
            f"{campaign.slug!r} asks about chosen images of a pool; a further stage is opened in "
            "the pool.",
            by_command="`manage.py curation open` does it.",
        )
    prompt_sets = campaign.prompt_sets.order_by("name", "version")
    rows = campaign.criteria.all()
    return parse_choices(
        {
            "name": _next_name(campaign.slug),
            "arms": [_reference(arm) for arm in campaign.contenders],
            "prompts": {
                "sets": [str(each) for each in prompt_sets],
                "filter": campaign.prompt_filter,
                "limit": campaign.prompts_per_set,
            },
            "criteria": [facts_of(row, OF_A_CRITERION) for row in rows],
            "design": campaign.design,
            "images_per_prompt": campaign.images_per_prompt,
            "seed": campaign.seed,
            "sampler": campaign.settings.as_dict(),
            "rules": campaign.checked_rules.model_dump(mode="json", exclude_defaults=True),
        },
        f"campaign {campaign.slug}",
    )


def _reference(arm: Arm) -> str:
    return f"images:{arm.name}" if arm.collection else arm.name


def _next_name(slug: str) -> str:
    """Return the name with the next free number behind it."""
    stem, _, number = slug.rpartition("-")
    if not (stem and number.isascii() and number.isdigit() and len(number) < 4):
        stem, number = slug, "1"
    taken = set(Campaign.objects.filter(slug__startswith=stem[:70]).values_list("slug", flat=True))
    following = int(number) + 1
    while f"{stem[:70]}-{following}" in taken:
        following += 1
    return f"{stem[:70]}-{following}"


def _revision(draft: Draft, version: int) -> dict[str, Any]:
    found = draft.revisions.filter(version=version).values_list("choices", flat=True).first()
    if found is None:
        raise BadInputError(
            f"this draft has no version {version}; its versions are 1 to {draft.version}."
        )
    return dict(found)


def _keep_revision(draft: Draft) -> None:
    DraftRevision.objects.create(
        draft=draft, version=draft.version, choices=draft.choices, by=draft.changed_by
    )
