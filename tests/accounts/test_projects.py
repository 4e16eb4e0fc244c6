"""Projects: who is in them, what they hold, and what crosses from one to another."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from evalplatform.accounts.members import (
    create_project,
    delete_project,
    remove_member,
    set_member,
)
from evalplatform.accounts.models import Membership, Project, User
from evalplatform.accounts.projects import (
    Role,
    default_project,
    may,
    project_or_default,
    require_role,
    role_of,
    usable_in,
    visible_to,
)
from evalplatform.campaigns.criteria import plan_criterion
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.services import check_newcomer, create_campaign
from evalplatform.checkpoints.models import Checkpoint, Upload
from evalplatform.core.errors import BadInputError, NotAllowedError
from evalplatform.curation.models import Pool
from evalplatform.feedback.models import FeedbackLoop
from evalplatform.generation.models import SamplerSettings
from evalplatform.images.models import ImageCollection, ImageImport
from evalplatform.promptsets.services import import_prompt_set
from evalplatform.runs.services import arm_named
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera():
    return User.objects.create_user("vera")


@pytest.fixture
def ours(rania):
    return default_project()


@pytest.fixture
def theirs(vera):
    return create_project(name="theirs", owner=vera)


def run(*statements):
    with transaction.atomic(), connection.cursor() as cursor:
        for each in statements:
            cursor.execute(each)


def test_a_role_allows_what_lower_ones_do(ours, vera):
    assert role_of(vera, ours) is None
    for role in Role:
        set_member(project=ours, user=vera, role=role)
        assert [may(vera, ours, each) for each in Role] == [each.rank <= role.rank for each in Role]


def test_role_too_low_names_the_one_needed_and_the_owners(ours, vera):
    set_member(project=ours, user=vera, role="viewer")
    with pytest.raises(NotAllowedError, match=r"role editor in the project default.*rania"):
        require_role(vera, ours, Role.EDITOR)


@pytest.mark.parametrize("made", [{"is_superuser": True}, {"role": "operator"}])
def test_operators_act_in_every_project(ours, theirs, made):
    olga = User.objects.create_user("olga", **made)
    factories.make_checkpoint("secret", project=theirs)
    assert may(olga, ours, Role.OWNER)
    assert visible_to(olga, Checkpoint.objects.all()).count() == 1


def test_staff_alone_are_no_operators(ours):
    assert role_of(User.objects.create_user("sam", is_staff=True), ours) is None


def test_last_owner_neither_leaves_nor_steps_down(ours, rania, vera):
    for change in (
        lambda: remove_member(project=ours, user=rania),
        lambda: set_member(project=ours, user=rania, role="editor"),
    ):
        with pytest.raises(BadInputError, match="last owner"):
            change()
    set_member(project=ours, user=vera, role="owner")
    assert remove_member(project=ours, user=rania)
    assert not remove_member(project=ours, user=rania)


@pytest.mark.parametrize("change", ["DELETE FROM accounts_membership",
                                    "UPDATE accounts_membership SET role = 'viewer'"])  # fmt: skip
def test_database_keeps_an_owner(ours, change):
    with pytest.raises(IntegrityError, match="no owner"):
        run(change, "SET CONSTRAINTS ALL IMMEDIATE")


def test_once_in_a_project(ours, rania):
    with pytest.raises(IntegrityError, match="membership_once_a_project"), transaction.atomic():
        Membership.objects.create(project=ours, user=rania, role="viewer")


def test_member_cannot_be_deleted_unseen(ours, rania):
    with pytest.raises(ProtectedError):
        rania.delete()


def test_only_an_empty_project_is_deleted(theirs):
    checkpoint = factories.make_checkpoint("kept", project=theirs)
    with pytest.raises(BadInputError, match="holds checkpoints"):
        delete_project(project=theirs)
    checkpoint.delete()
    delete_project(project=theirs)
    assert not Project.objects.filter(name="theirs").exists()


@pytest.mark.parametrize("table", [
    "checkpoints_checkpoint", "promptsets_promptset", "campaigns_campaign",
    "generation_generationrequest", "accounts_membership",
])  # fmt: skip
def test_nothing_moves_to_another_project(draft, ours, theirs, table):
    factories.make_request(project=ours)
    with pytest.raises(IntegrityError, match="stays in it"):
        run(f"UPDATE {table} SET project_id = {theirs.pk} WHERE project_id = {ours.pk}")


@pytest.mark.parametrize("name", ["", "a b", "x" * 81, "ours/theirs"])
def test_bad_names_of_projects_are_refused(db, name):
    with pytest.raises(BadInputError, match="project"):
        create_project(name=name, owner=None)


def test_taken_name_of_a_project_is_refused(theirs, vera):
    with pytest.raises(BadInputError, match="taken"):
        create_project(name="theirs", owner=vera)


def test_commands_create_in_the_only_project_or_the_default_one(db):
    assert project_or_default(None).name == "default"
    Project.objects.all().delete()
    only = create_project(name="only", owner=None)
    assert project_or_default(None) == only
    create_project(name="other", owner=None)
    assert project_or_default(None).name == "default"
    assert project_or_default("other").name == "other"
    with pytest.raises(BadInputError, match="known: default, only, other"):
        project_or_default("none")


def test_only_what_is_shared_crosses(ours, theirs, rania, vera):
    factories.make_checkpoint("mine", project=ours)
    factories.make_checkpoint("secret", project=theirs)
    factories.make_checkpoint("baseline", project=theirs, is_shared=True)
    everything = Checkpoint.objects.all()
    assert {each.name for each in visible_to(rania, everything)} == {"mine", "baseline"}
    assert {each.name for each in visible_to(vera, everything)} == {"secret", "baseline"}
    assert {each.name for each in usable_in(ours, everything)} == {"mine", "baseline"}
    with pytest.raises(BadInputError, match=r"usable: baseline, mine\."):
        arm_named("secret", ours)


def ask(project, arms, prompt_sets):
    return create_campaign(
        project=project, slug="crossing", arms=arms, prompt_sets=prompt_sets,
        criteria=[plan_criterion("visual_appeal", 1)], settings=factories.SETTINGS, seed=1,
    )  # fmt: skip


def test_a_campaign_takes_nothing_of_another_project(ours, theirs):
    mine = [factories.make_checkpoint(name, project=ours) for name in ("a", "b")]
    secret = factories.make_checkpoint("secret", project=theirs)
    prompts = factories.make_prompt_set("things", project=ours)
    for arms, sets in [
        ([mine[0], secret], [prompts]),
        (mine, [factories.make_prompt_set("hidden", project=theirs)]),
    ]:
        with pytest.raises(BadInputError, match="another project's and not shared"):
            ask(ours, arms, sets)
    assert not Campaign.objects.exists()
    Checkpoint.objects.filter(pk=secret.pk).update(is_shared=True)
    assert ask(ours, [mine[0], secret], [prompts])[1]


def _arm_of(project, what):
    campaign = factories.make_draft(prompts=1, project=project, sampled=False)
    return campaign.arms.create(place=7, **{what[0]: what[1]})


def _request_of(project, what):
    settings = SamplerSettings.objects.create(**factories.SETTINGS)
    request = factories.make_request(project=project)
    return request.batches.create(checkpoint=what[1], settings=settings)


USES = {
    "arm's checkpoint": ("checkpoint", _arm_of),
    "arm's collection": ("collection", _arm_of),
    "campaign's prompts": ("prompts", lambda project, what: factories.make_draft(
        prompts=1, project=project, sampled=False).prompt_sets.add(what[1])),
    "upload's base": ("checkpoint", lambda project, what: Upload.objects.create(
        project=project, file_name="a", size_bytes=1, base=what[1], part="lora")),
    "pool's collection": ("collection", lambda project, what: Pool.objects.create(
        project=project, name="pool", origin="folder", collection=what[1])),
    "request's checkpoint": ("checkpoint", _request_of),
    "collection's prompts": ("prompts", lambda project, what: _collection(
        "another", project, prompt_set=what[1])),
    "import's prompts": ("prompts", lambda project, what: ImageImport.objects.create(
        project=project, name="sent", model="m", prompt_set=what[1], sent="a file", size_bytes=1,
        beaten_at=timezone.now(), created_at=timezone.now())),
    "loop's prompts": ("prompts", lambda project, what: _loop(
        project, prompt_set=what[1])),
    "loop's proof": ("prompts", lambda project, what: _loop(
        project, proof_prompt_set=what[1])),
}  # fmt: skip


def _collection(name, project, **fields):
    return ImageCollection.objects.create(
        name=name,
        project=project,
        model="m",
        sha256=factories.digest(name),
        image_count=1,
        **fields,
    )


def _loop(project, **sets):
    own = factories.make_prompt_set("own", 1, project=project)
    return FeedbackLoop.objects.create(
        project=project, slug="loop", gallery=["a", "b"], aspects=["visual_appeal"], k=1,
        verified_share=0.1, agreement_floor=0.6, sampler={},
        **{"prompt_set": own, "proof_prompt_set": own} | sets,
    )  # fmt: skip


@pytest.mark.parametrize("use", USES)
def test_database_lets_nothing_be_made_of_what_is_anothers_and_not_shared(ours, theirs, use):
    kind, make = USES[use]
    row = {
        "checkpoint": lambda: factories.make_checkpoint("secret", project=theirs),
        "collection": lambda: _collection("secret", theirs),
        "prompts": lambda: factories.make_prompt_set("secret", 1, project=theirs),
    }[kind]()
    refused = pytest.raises(IntegrityError, match="another project's and not shared")
    with refused, transaction.atomic():
        make(ours, (kind, row))
    type(row).objects.filter(pk=row.pk).update(is_shared=True)
    make(ours, (kind, row))


def test_no_newcomer_of_another_project(campaign, theirs):
    secret = factories.make_checkpoint("secret", project=theirs)
    with pytest.raises(BadInputError, match="another project's and not shared"):
        check_newcomer(campaign, secret)


def test_a_name_taken_elsewhere_says_no_more_than_that(ours, theirs, tmp_path):
    factories.make_prompt_set("hidden", project=theirs)
    file = tmp_path / "prompts.tsv"
    file.write_text("Prompt\na cat\n")
    with pytest.raises(BadInputError, match=r"^the name 'hidden' is taken in another project;"):
        import_prompt_set(project=ours, name="hidden", source=str(file))
    factories.make_draft(slug="theirs-alone", project=theirs, sampled=False)
    arms = [factories.make_checkpoint(name, project=ours) for name in ("a", "b")]
    with pytest.raises(BadInputError, match=r"^the name 'theirs-alone' is taken in another"):
        create_campaign(
            project=ours, slug="theirs-alone", arms=arms,
            prompt_sets=[factories.make_prompt_set("things", project=ours)],
            criteria=[plan_criterion("visual_appeal", 1)], settings=factories.SETTINGS, seed=1,
        )  # fmt: skip
