"""A collection of images is an arm like any other: of one size, one length, screened, blind."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.utils import timezone

from evalplatform.accounts.projects import default_project
from evalplatform.annotation.services import join_arm, open_campaign
from evalplatform.campaigns.criteria import plan_criterion
from evalplatform.campaigns.models import Campaign, ShownImage, Withheld
from evalplatform.campaigns.selectors import planned_prompts, wanted_seeds
from evalplatform.campaigns.services import create_campaign
from evalplatform.core.errors import BadInputError
from evalplatform.core.stored_images import encode_image
from evalplatform.generation.services import plan_samples, record_sample
from evalplatform.images.models import CollectedImage, ImageCollection
from evalplatform.runs.services import arm_named
from tests import factories, safety

pytestmark = pytest.mark.django_db(transaction=True)


def collect(prompt_set, name="peer", *, size=16, numbers=1, picture=factories.make_image):
    """Bring a collection with so many images of each prompt."""
    prompts = list(prompt_set.prompts.order_by("position"))
    collection = ImageCollection.objects.create(
        project=default_project(),
        name=name, model="Peer 3", prompt_set=prompt_set, sha256=factories.digest(name),
        image_count=len(prompts) * numbers,
    )  # fmt: skip
    for position, prompt in enumerate(prompts):
        for number in range(numbers):
            content = encode_image(picture(5000 + 100 * position + number, size=size))
            key = factories.digest(f"{name} {position} {number}")
            CollectedImage.objects.create(
                collection=collection, position=position * numbers + number, prompt=prompt,
                index=number, image_sha256=key, source_sha256=key, pixels_sha256=key,
                image=default_storage.save(f"collected/{key}.png", ContentFile(content)),
                is_constant=False, width=size, height=size,
            )  # fmt: skip
    return collection


def make(prompts=4, *, others=2, rules=None, numbers=1, **options) -> Campaign:
    """Return a draft of checkpoints and one collection, with all samples."""
    prompt_set = factories.make_prompt_set("shared", prompts)
    arms = [factories.make_checkpoint(f"checkpoint-{index}") for index in range(others)]
    arms.append(collect(prompt_set, numbers=numbers, **options))
    from evalplatform.campaigns.rules import parse_rules

    campaign, _ = create_campaign(
        project=default_project(),
        slug="gallery", arms=arms, prompt_sets=[prompt_set], seed=3, settings=factories.SETTINGS,
        criteria=[plan_criterion("visual_appeal", 2), plan_criterion("text_faithfulness", 2)],
        rules=parse_rules(rules or {}), images_per_prompt=numbers,
    )  # fmt: skip
    factories.make_samples(campaign)
    return campaign


def test_collection_meets_checkpoints_on_every_prompt():
    campaign = make()
    open_campaign(campaign=campaign)
    assert campaign.image_sets.main().count() == 4 * 3
    brought = ShownImage.objects.filter(arm__collection__isnull=False)
    assert brought.count() == 4 * 2
    assert all(image.collected and not image.sample for image in brought)
    arm = campaign.protocol["arms"][2]
    assert (arm["kind"], arm["name"], arm["model"]) == ("collection", "peer", "Peer 3")


def test_files_of_both_kinds_have_one_length_and_one_size_and_hold_pixels_alone():
    campaign = make(size=40)
    open_campaign(campaign=campaign)
    names = [name for image in ShownImage.objects.all() for name in image.copies if name]
    assert len({default_storage.size(name) for name in names}) == 1
    assert {factories.stored_size(name) for name in names} == {(16, 16)}
    for name in names:
        with default_storage.open(name) as file:
            content = file.read()
        assert b"tEXt" not in content
        assert b"eXIf" not in content


def test_image_of_a_collection_that_scores_as_unsafe_is_withheld(red_detector):
    rules = {"safety": {"detector": safety.NAME, "threshold": 0.5}}
    campaign = make(rules=rules, picture=lambda seed, size: safety.picture(seed, 0.9, size))
    from evalplatform.campaigns.selectors import all_pictures, ready_sets
    from evalplatform.safety.services import request_checks
    from evalplatform.safety.tasks import check_safety

    pictures = all_pictures(ready_sets(campaign))
    request_checks(pictures=pictures, detector=safety.NAME, now=timezone.now())
    while check_safety(safety.NAME):
        pass
    open_campaign(campaign=campaign)
    assert {(each.arm.name, each.sample) for each in Withheld.objects.all()} == {("peer", None)}
    assert Withheld.objects.count() == 4
    assert campaign.image_sets.main().count() == 4  # the two checkpoints with each other
    assert not ShownImage.objects.filter(collected__isnull=False).exists()


def test_several_images_of_a_prompt_meet_by_number():
    campaign = make(numbers=2)
    open_campaign(campaign=campaign)
    assert campaign.image_sets.main().count() == 2 * 4 * 3
    indexes = ShownImage.objects.filter(collected__isnull=False)
    assert sorted(set(indexes.values_list("collected__index", flat=True))) == [0, 1]


def test_campaign_of_collections_alone_needs_no_worker(capsys):
    prompt_set = factories.make_prompt_set("shared", 3)
    collect(prompt_set, "one")
    collect(prompt_set, "two", picture=lambda seed, size: factories.make_image(seed + 7, size))
    call_command("run_eval", "one", "two", "--prompts=shared", "--k=1", "--name=brought")
    campaign = Campaign.objects.get()
    assert (campaign.status, campaign.item_count) == ("open", 6)
    out = capsys.readouterr().out
    assert "A = one, B = two" in out
    assert "A = one: 0 of 3 images of one colour" in out
    assert "text encoders" not in out


def test_sampler_is_frozen_once_a_checkpoint_is_among_the_arms():
    prompt_set = factories.make_prompt_set("shared", 3)
    collect(prompt_set, "one")
    collect(prompt_set, "two", picture=lambda seed, size: factories.make_image(seed + 7, size))
    call_command("run_eval", "one", "two", "--prompts=shared", "--k=1", "--name=brought")
    campaign = Campaign.objects.get()
    frozen = campaign.protocol_sha256
    assert "sampler_settings" not in campaign.protocol
    newcomer = factories.make_checkpoint("newcomer")
    wanted = wanted_seeds(campaign, planned_prompts(campaign))
    for row in plan_samples(checkpoint=newcomer, settings=campaign.settings, wanted=wanted):
        record_sample(sample=row, image=factories.make_image(row.pk), now=timezone.now())
    join_arm(campaign=campaign, maker=newcomer, now=timezone.now())
    assert campaign.protocol["sampler_settings"] == campaign.settings.as_dict()
    [amendment] = campaign.protocol["amendments"]
    assert amendment["protocol_sha256_before"] == frozen != campaign.protocol_sha256


def test_collection_that_lacks_prompts_is_refused_and_they_are_named():
    prompt_set = factories.make_prompt_set("shared", 4)
    collection = collect(prompt_set)
    other = factories.make_prompt_set("others", 2)
    with pytest.raises(
        BadInputError,
        match=r"has no image of 2 of 2 prompts \(its images "
        r"answer shared@1\): “a secret-others-prompt number 0”",
    ):
        create_campaign(
            project=default_project(),
            slug="gallery", arms=[factories.make_checkpoint("one"), collection],
            prompt_sets=[other], seed=3, settings=factories.SETTINGS,
            criteria=[plan_criterion("visual_appeal")],
        )  # fmt: skip
    assert not Campaign.objects.exists()


def test_collection_of_one_colour_is_called_what_it_is():
    draft = make()
    with factories.thawed():
        CollectedImage.objects.update(is_constant=True)
    said = r"images of image collection 'peer' \(C\) are of one colour .*; import it anew without"
    with pytest.raises(BadInputError, match=said):
        open_campaign(campaign=draft)


def test_arm_that_is_neither_is_told_which_checkpoints_and_collections_there_are():
    collect(factories.make_prompt_set("shared", 1), "theirs")
    said = "no checkpoint or image collection 'thiers'; usable: {}theirs. Register or import it"
    with pytest.raises(BadInputError, match=said.format("")):
        arm_named("thiers", default_project())
    factories.make_checkpoint("ours")
    with pytest.raises(BadInputError, match=said.format("ours, ")):
        arm_named("thiers", default_project())


def test_name_of_a_checkpoint_and_a_collection_is_asked_back():
    collect(factories.make_prompt_set("shared", 1), "twin")
    factories.make_checkpoint("twin")
    with pytest.raises(BadInputError, match="write images:twin for the collection"):
        arm_named("twin", default_project())
    assert isinstance(arm_named("images:twin", default_project()), ImageCollection)


def test_collection_joins_an_open_gallery(capsys):
    campaign = make(others=2)
    open_campaign(campaign=campaign)
    collect(campaign.prompt_sets.get(), "late")
    call_command("add_arm", "gallery", "late")
    campaign.refresh_from_db()
    assert "late joined gallery as D: 24 items more" in capsys.readouterr().out
    assert campaign.protocol["amendments"][0]["arm"]["kind"] == "collection"
