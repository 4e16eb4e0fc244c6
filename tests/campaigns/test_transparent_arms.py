"""Transparent images beside opaque ones: a researcher is told where the ground tells the arms."""

import io

import pytest
from django.core.management import call_command
from django.utils import timezone

from evalplatform.accounts.projects import default_project
from evalplatform.annotation.services import join_arm, open_campaign
from evalplatform.campaigns import transparent_arms
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.protocol import protocol_hash
from evalplatform.campaigns.selectors import planned_prompts, wanted_seeds
from evalplatform.campaigns.transparent_arms import ground_caution
from evalplatform.core.errors import BadInputError
from evalplatform.core.object_storage import ObjectStorageError
from evalplatform.generation.services import plan_samples, record_sample
from evalplatform.runs.choices import parse_choices
from evalplatform.runs.dry_run import dry_run
from tests import factories
from tests.running import AS_USUAL, run_eval

pytestmark = pytest.mark.django_db
RGBA = {"autoencoder": {"alpha": True, "latent_channels": 4}}
SAID = (
    "images of B ({clear}) are transparent, those of A ({opaque}) are not: only the former lie on"
)


def cut_out(seed):
    image = factories.make_image(seed).convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 4, 4))
    return image


def make_draft(*clear, rules=None):
    """Return a draft with its samples, those of the arms at these places transparent."""
    draft = factories.make_draft(prompts=2, rules=rules, sampled=False)
    wanted = wanted_seeds(draft, planned_prompts(draft))
    for arm in draft.contenders:
        rows = plan_samples(checkpoint=arm.checkpoint, settings=draft.settings, wanted=wanted)
        for row in rows:
            image = (cut_out if arm.place in clear else factories.make_image)(row.pk)
            record_sample(sample=row, image=image, now=timezone.now())
    return draft


def named(draft):
    opaque, clear = draft.contenders
    return SAID.format(clear=clear.name, opaque=opaque.name)


def test_one_transparent_arm_is_named_with_what_to_do():
    draft = make_draft(1)
    said = ground_caution(draft)
    assert said.startswith(f"{named(draft)} neutral grey, so annotators can tell the arms apart")
    assert said.endswith('set annotation.ground = "white", or compare arms of one kind.')
    assert "\n" not in said


@pytest.mark.parametrize(
    ("clear", "ground"), [((), "grey"), ((0, 1), "grey"), ((1,), "white")],
    ids=["none", "all", "on white"],
)  # fmt: skip
def test_nothing_is_said_where_the_ground_tells_nothing(clear, ground):
    draft = make_draft(*clear, rules={"annotation": {"ground": ground}})
    open_campaign(campaign=draft)
    assert ground_caution(draft) == ""


def test_a_checkpoint_that_has_made_nothing_yet_is_as_its_configuration_says():
    factories.make_prompt_set("things", 2)
    factories.make_checkpoint("plain")
    factories.make_checkpoint("clear", config=RGBA)
    chosen = {"name": "run", "arms": ["plain", "clear"], "preset": "default",
              "prompts": {"sets": ["things"]}, "sampler": {"steps": 4}}  # fmt: skip
    warnings = rehearsed(chosen)
    assert SAID.format(clear="clear", opaque="plain") in warnings
    assert "transparent" not in rehearsed(chosen | {"rules": {"annotation": {"ground": "white"}}})


def rehearsed(chosen):
    found = dry_run(choices=parse_choices(chosen), project=default_project(), now=timezone.now())
    assert not found.errors
    return " ".join(found.warnings)


def test_a_collection_of_which_some_images_are_transparent_counts_as_such(tmp_path):
    factories.make_prompt_set("shared", 3)
    for key in range(3):
        (cut_out if key == 1 else factories.make_image)(key).save(tmp_path / f"{key}.png")
    call_command("import_images", str(tmp_path), name="drawn", model="A person", prompts="shared")
    factories.make_checkpoint("plain")
    chosen = {"name": "run", "arms": ["plain", "images:drawn"], "preset": "default",
              "prompts": {"sets": ["shared"]}, "sampler": {"steps": 4}}  # fmt: skip
    assert SAID.format(clear="drawn", opaque="plain") in rehearsed(chosen)


def test_it_is_frozen_with_the_protocol_and_told_on_the_campaigns_page(client, rania):
    draft = make_draft(1)
    open_campaign(campaign=draft)
    assert draft.protocol["transparent_arms"] == [1]
    client.force_login(rania)
    page = " ".join(client.get(f"/campaigns/{draft.slug}/quality/").content.decode().split())
    said = named(draft)
    assert f'<p class="caution">I{said[1:]}' in page
    assert "do not call these votes blind" in page
    out = io.StringIO()
    call_command("report", draft.slug, format="table", stdout=out)
    assert said in " ".join(out.getvalue().split())


def clear_newcomer(campaign):
    maker = factories.make_checkpoint("late", config=RGBA)
    wanted = wanted_seeds(campaign, planned_prompts(campaign))
    for row in plan_samples(checkpoint=maker, settings=campaign.settings, wanted=wanted):
        record_sample(sample=row, image=cut_out(row.pk), now=timezone.now())
    return maker


def test_a_transparent_arm_that_joins_is_told_from_then_on():
    campaign = make_draft()
    open_campaign(campaign=campaign)
    join_arm(campaign=campaign, maker=clear_newcomer(campaign), now=timezone.now())
    assert campaign.protocol["transparent_arms"] == [2]
    first, second, _ = campaign.contenders
    both = f"A ({first.name}), B ({second.name})"
    assert f"images of C (late) are transparent, those of {both} are" in ground_caution(campaign)


def cannot_be_looked_at(monkeypatch, error, besides=()):
    """Let the store give no image of these checkpoints, of all where none is named."""
    names = {name for each in besides for name in each.samples.values_list("image", flat=True)}
    keeps_alpha = transparent_arms.keeps_alpha

    def look(name):
        if name in names:
            return keeps_alpha(name)
        raise error

    monkeypatch.setattr(transparent_arms, "keeps_alpha", look)


AWAY = ObjectStorageError("s3://eval cannot be reached; check that the store runs.")
UNSEEN = pytest.mark.parametrize(
    ("error", "refused", "says"),
    [
        (AWAY, ObjectStorageError, "cannot be reached"),
        (FileNotFoundError("gone"), BadInputError, "is missing in object storage"),
        (PermissionError("not yours"), PermissionError, "not yours"),
    ],
    ids=["away", "missing", "unreadable"],
)


@UNSEEN
def test_images_that_cannot_be_looked_at_are_not_frozen_as_opaque(
    monkeypatch, error, refused, says
):
    draft = make_draft(1)
    with monkeypatch.context() as patch:
        cannot_be_looked_at(patch, error)
        assert ground_caution(draft) == ""  # a caution fails nothing
        with pytest.raises(refused, match=says):
            open_campaign(campaign=draft)
    draft.refresh_from_db()
    assert (draft.status, draft.protocol) == (Campaign.Status.DRAFT, None)
    open_campaign(campaign=draft)
    assert draft.protocol["transparent_arms"] == [1]


@UNSEEN
def test_arm_whose_images_cannot_be_looked_at_does_not_join(monkeypatch, error, refused, says):
    campaign = make_draft(1)
    open_campaign(campaign=campaign)
    frozen = campaign.protocol_sha256
    late = clear_newcomer(campaign)
    cannot_be_looked_at(monkeypatch, error)
    with pytest.raises(refused, match=says):
        join_arm(campaign=campaign, maker=late, now=timezone.now())
    campaign.refresh_from_db()
    assert (campaign.protocol_sha256, campaign.arms.count()) == (frozen, 2)


def test_arm_that_joins_leaves_what_is_frozen_of_the_others(monkeypatch):
    campaign = make_draft(1)
    open_campaign(campaign=campaign)
    late = clear_newcomer(campaign)
    cannot_be_looked_at(monkeypatch, AWAY, besides=[late])
    join_arm(campaign=campaign, maker=late, now=timezone.now())
    assert campaign.protocol["transparent_arms"] == [1, 2]


def test_all_arms_are_looked_at_once_one_joins_where_the_protocol_keeps_nothing():
    """A campaign that an earlier version opened: none of its arms was looked at then."""
    campaign = make_draft(1)
    open_campaign(campaign=campaign)
    del campaign.protocol["transparent_arms"]
    campaign.protocol_sha256 = protocol_hash(campaign.protocol)
    campaign.save()
    assert ground_caution(campaign) == ""
    join_arm(campaign=campaign, maker=clear_newcomer(campaign), now=timezone.now())
    assert campaign.protocol["transparent_arms"] == [1, 2]
    _, clear, _ = campaign.contenders
    assert f"images of B ({clear.name}), C (late) are transparent" in ground_caution(campaign)


def test_a_protocol_of_opaque_arms_says_nothing_of_it():
    draft = make_draft()
    open_campaign(campaign=draft)
    assert "transparent_arms" not in draft.protocol


def test_run_eval_says_it_beside_what_else_its_samples_are(capsys):
    draft = make_draft(1, rules=AS_USUAL)
    run_eval(draft)
    assert named(draft) in capsys.readouterr().out
