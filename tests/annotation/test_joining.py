"""An arm joins an open gallery: it meets the others, is served, and the protocol says so."""

import threading
from dataclasses import replace

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Assignment
from evalplatform.annotation.selectors import annotator_progress
from evalplatform.annotation.services import enrol, join_arm, open_campaign
from evalplatform.annotation.statements import others_hold_the_rest
from evalplatform.campaigns import copies, selectors, showing
from evalplatform.campaigns.criteria import plan_criterion
from evalplatform.campaigns.models import Campaign, ImageSet, ShownImage
from evalplatform.campaigns.packing import name_at
from evalplatform.campaigns.selectors import planned_prompts, wanted_seeds
from evalplatform.campaigns.services import close_campaign
from evalplatform.core.errors import BadInputError
from evalplatform.generation.services import plan_samples, record_sample
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
CHECKS = {"quality": {"gold_rate": 0.2, "repeat_rate": 0.1, "repeat_gap": 1}}


def make(**options) -> Campaign:
    campaign = factories.make_draft(**({"prompts": 4, "k": 2, "arms": 3} | options))
    if options.get("rules"):
        factories.add_gold(campaign, "check", 2)
    open_campaign(campaign=campaign)
    return campaign


def make_newcomer(campaign: Campaign, *, images: int | None = None, name="newcomer"):
    checkpoint = factories.make_checkpoint(name)
    rows = plan_samples(
        checkpoint=checkpoint,
        settings=campaign.settings,
        wanted=wanted_seeds(campaign, planned_prompts(campaign)),
    )
    for row in rows[:images]:
        record_sample(sample=row, image=factories.make_image(1000 + row.pk), now=timezone.now())
    return checkpoint


def join(campaign: Campaign, checkpoint):
    return join_arm(campaign=campaign, maker=checkpoint, now=timezone.now())


def lengths(campaign: Campaign) -> set[int]:
    shown = ShownImage.objects.filter(image_set__campaign=campaign)
    return {default_storage.size(name) for image in shown for name in image.copies if name}


def test_newcomer_meets_every_other_arm_on_every_prompt_under_every_criterion():
    campaign = make()
    before = campaign.item_count
    arm = join(campaign, make_newcomer(campaign))
    assert (arm.place, arm.letter) == (3, "D")
    new = campaign.items.main().filter(position__gte=before)
    assert new.count() == 3 * 4 * 2 == campaign.item_count - before
    for item in new:
        places = [image.arm.place for image in item.image_set.images.all()]
        assert places[-1] == 3
    slots = Assignment.objects.main().filter(item__in=new)
    assert slots.count() == 2 * new.count()
    assert [list(order) for order in slots.values_list("order", flat=True)].count([0, 1]) == 24


def test_newcomer_lengthens_smaller_copies_too(monkeypatch):
    monkeypatch.setattr(showing, "LADDER", (8,))
    campaign = make(rules=CHECKS | {"annotation": {"delivery": "webp"}}, prompts=1, k=1)
    shown = ShownImage.objects.filter(image_set__campaign=campaign)
    before = {name for image in shown for name in image.copies if name}
    # What came before was packed by a plainer hand.
    monkeypatch.setattr(copies.Packing, "least_growth", 2000)
    join(campaign, make_newcomer(campaign))
    after = {name for image in shown.all() for name in image.copies if name}
    assert before.isdisjoint(after)
    for width in (0, 8):
        assert len({default_storage.size(name_at(name, width)) for name in after}) == 1
        assert not any(default_storage.exists(name_at(name, width)) for name in before)


def work_through(enrolment) -> list[tuple[str, int]]:
    """Let an annotator judge until nothing is left; return (criterion, prompt) of all."""
    done = []
    while (assignment := factories.lease(enrolment)) is not None:
        item = assignment.item
        prompt = ImageSet.objects.values_list("prompt", flat=True).get(pk=item.image_set_id)
        done.append((item.criterion.slug, prompt))
        factories.vote(enrolment, assignment, "tie")
    return done


def test_who_had_finished_goes_on_with_the_newcomer(steady_turns):
    campaign = make()
    people = [Annotator.objects.create(pseudonym=name) for name in ("ana", "ben")]
    factories.judge_everything(campaign, people, lambda each: "tie")
    enrolment = enrol(campaign=campaign, annotator=people[0])
    assert factories.lease(enrolment) is None
    join(campaign, make_newcomer(campaign))
    assert factories.lease(enrolment).item.position >= 24
    enrolment.refresh_from_db()
    assert enrolment.total == 36  # faithfulness alone: they have read every prompt
    people += [Annotator.objects.create(pseudonym=name) for name in ("cem", "dai")]
    factories.judge_everything(campaign, people, lambda each: "left")
    assert not Assignment.objects.main().pending().exists()


def test_who_has_read_a_prompt_judges_no_newcomer_where_it_is_hidden(steady_turns):
    """They know what the images were to show, though they never saw the newcomer's."""
    campaign = make()
    people = [Annotator.objects.create() for _ in range(2)]
    factories.judge_everything(campaign, people, lambda each: "tie")
    join(campaign, make_newcomer(campaign))
    again = enrol(campaign=campaign, annotator=people[0])
    assert {slug for slug, _ in work_through(again)} == {"text_faithfulness"}
    progress = annotator_progress(again, held=0)
    assert (progress.done, progress.total) == (36, 36)
    fresh = enrol(campaign=campaign, annotator=Annotator.objects.create())
    assert [slug for slug, _ in work_through(fresh)][:12] == ["visual_appeal"] * 12


def test_who_has_read_some_prompts_judges_the_newcomer_on_the_others():
    campaign = make(k=1, criteria=["visual_appeal", "text_faithfulness"])
    first, reader = (
        enrol(campaign=campaign, annotator=Annotator.objects.create()) for _ in range(2)
    )
    for _ in range(12):
        factories.vote(first, factories.lease(first), "tie")
    for _ in range(2):
        factories.vote(reader, factories.lease(reader), "tie")
    read = set(
        Assignment.objects.filter(annotator=reader.annotator_id).values_list(
            "item__image_set__prompt", flat=True
        )
    )
    factories.judge_everything(campaign, [first.annotator], lambda each: "tie")
    join(campaign, make_newcomer(campaign))
    appeal = {prompt for slug, prompt in work_through(reader) if slug == "visual_appeal"}
    prompts = {prompt.pk for prompt in planned_prompts(campaign)}
    assert appeal == prompts - read
    assert 2 <= len(appeal) <= 3


def test_criteria_that_all_hide_the_prompt_let_everybody_judge_the_newcomer():
    shown = plan_criterion("visual_appeal", 1, "pair")
    campaign = make(k=1, criteria=[shown, replace(shown, slug="colours", label="Colours")])
    one = Annotator.objects.create()
    factories.judge_everything(campaign, [one], lambda each: "tie")
    join(campaign, make_newcomer(campaign))
    factories.judge_everything(campaign, [one], lambda each: "tie")
    assert not Assignment.objects.main().pending().exists()


def test_who_may_judge_nothing_of_what_others_hold_is_done():
    campaign = make(k=1)
    reader = Annotator.objects.create()
    factories.judge_everything(campaign, [reader], lambda each: "tie")
    join(campaign, make_newcomer(campaign))
    again = enrol(campaign=campaign, annotator=reader)
    work_through(again)
    fresh = enrol(campaign=campaign, annotator=Annotator.objects.create())
    assert factories.lease(fresh).item.criterion.slug == "visual_appeal"
    assert not others_hold_the_rest(again)
    assert others_hold_the_rest(enrol(campaign=campaign, annotator=Annotator.objects.create()))


def test_protocol_records_the_amendment_and_the_hash_before():
    campaign = make()
    frozen = campaign.protocol_sha256
    join(campaign, make_newcomer(campaign))
    (amendment,) = campaign.protocol["amendments"]
    assert amendment["protocol_sha256_before"] == frozen != campaign.protocol_sha256
    assert amendment["arm"]["name"] == "newcomer"
    assert amendment["items"] == 24
    assert len(campaign.protocol["arms"]) == 4


@pytest.mark.parametrize("is_noisier", [False, True])
def test_all_files_stay_of_one_length_so_that_no_check_is_known_by_it(monkeypatch, is_noisier):
    noise = factories.make_image
    if is_noisier:  # noise takes more bytes than areas of one colour
        with monkeypatch.context() as patch:
            patch.setattr(factories, "make_image", lambda seed: noise(seed, 4).resize((16, 16), 0))
            campaign = make(rules=CHECKS)
    else:
        campaign = make(rules=CHECKS)
    before = lengths(campaign)
    join(campaign, make_newcomer(campaign))
    assert len(lengths(campaign)) == 1
    assert (max(lengths(campaign)) > max(before)) is is_noisier
    for image in ShownImage.objects.filter(image_set__campaign=campaign):
        for name in filter(None, image.copies):
            assert factories.stored_size(name) == (16, 16)


def test_joining_reads_sets_and_lengthens_files_some_at_a_time(monkeypatch):
    monkeypatch.setattr(showing, "_AT_A_TIME", 3)
    monkeypatch.setattr(selectors, "_SHOWN_AT_A_TIME", 3)
    lengthened, lengthen = [], copies.CopyStore.lengthen
    monkeypatch.setattr(
        copies.CopyStore,
        "lengthen",
        lambda self, names, packing: lengthened.append(names) or lengthen(self, names, packing),
    )
    campaign = make(rules=CHECKS)
    shown = ShownImage.objects.filter(image_set__campaign=campaign)
    before = {name for image in shown for name in image.copies if name}
    monkeypatch.setattr(copies.Packing, "least_growth", 2000)
    join(campaign, make_newcomer(campaign))
    assert before == {name for names in lengthened for name in names}
    assert max(len(names) for names in lengthened) <= 3 * 4  # an image has 4 copies at most
    assert len(lengths(campaign)) == 1
    assert not any(default_storage.exists(name) for name in before)
    counted = campaign.protocol["samples"]
    assert (counted["sets"], [arm["images"] for arm in counted["arms"]]) == (24, [4] * 4)


def test_two_arms_that_join_at_once_leave_all_files_of_one_length(monkeypatch):
    """The second waits for the first, which brings longer files, and matches those."""
    noise = factories.make_image
    with monkeypatch.context() as patch:
        patch.setattr(factories, "make_image", lambda seed: noise(seed, 4).resize((16, 16), 0))
        campaign = factories.make_draft(prompts=4, k=2, arms=3, rules=CHECKS)
        factories.add_gold(campaign, "check", 2)
        # The second newcomer meets none but this one, so that it brings nothing long by itself.
        campaign.design = f"against={campaign.contenders[0].name}"
        campaign.save()
        open_campaign(campaign=campaign)
        plain = make_newcomer(campaign, name="plain-newcomer")
    noisy = make_newcomer(campaign)
    failures = []

    def join_second():
        try:
            join(Campaign.objects.get(), plain)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    second = threading.Thread(target=join_second)

    def begin_second(made, total):
        if second.ident is None:
            second.start()
            second.join(timeout=1)  # it has read what it reads before it waits

    join_arm(campaign=campaign, maker=noisy, now=timezone.now(), on_progress=begin_second)
    second.join()
    assert failures == []
    assert len(lengths(campaign)) == 1
    assert [arm.name for arm in campaign.arms.all()][3:] == ["newcomer", "plain-newcomer"]
    assert len(Campaign.objects.get().protocol["amendments"]) == 2


def test_joining_lets_annotators_take_checks_meanwhile():
    """A check refers to the campaign's row; who waited for it would hold up the join for ever."""
    campaign = make()
    taken = []

    def refer(made, total):
        other = connection.copy()
        try:
            with other.cursor() as cursor:
                cursor.execute(
                    "SELECT id FROM campaigns_campaign WHERE id = %s FOR KEY SHARE NOWAIT",
                    [campaign.pk],
                )
                taken.append(cursor.fetchone()[0])
        finally:
            other.close()

    newcomer = make_newcomer(campaign)
    join_arm(campaign=campaign, maker=newcomer, now=timezone.now(), on_progress=refer)
    assert set(taken) == {campaign.pk}


def test_each_file_that_the_newcomer_brings_is_shown_in_one_set_alone_with_checks():
    campaign = make(rules=CHECKS)
    join(campaign, make_newcomer(campaign))
    shown = ShownImage.objects.filter(image_set__campaign=campaign)
    names = [name for image in shown for name in image.copies if name]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("design", "sets"), [("against=tuned", 1), ("random=2", 2), ("all-pairs", 3)]
)
def test_newcomer_meets_whom_the_design_says(design, sets):
    campaign = factories.make_draft(prompts=4, k=2, arms=3, design="all-pairs")
    name = campaign.contenders[0].name
    Campaign.objects.filter(pk=campaign.pk).update(design=design.replace("tuned", name))
    campaign.refresh_from_db()
    open_campaign(campaign=campaign)
    before = campaign.item_count
    join(campaign, make_newcomer(campaign))
    assert campaign.item_count - before == sets * 4 * 2


def test_single_images_of_a_newcomer_are_rated_like_the_others():
    campaign = make(form="rating")
    before = campaign.item_count
    join(campaign, make_newcomer(campaign))
    assert campaign.item_count - before == 4 * 2


def refusal(campaign, checkpoint) -> str:
    before = (campaign.arms.count(), campaign.items.count(), campaign.image_sets.count())
    with pytest.raises(BadInputError) as caught:
        join(campaign, checkpoint)
    campaign.refresh_from_db()
    assert (campaign.arms.count(), campaign.items.count(), campaign.image_sets.count()) == before
    assert "amendments" not in campaign.protocol
    return str(caught.value)


def test_newcomer_without_its_samples_is_refused_and_nothing_is_half_written():
    campaign = make()
    assert "2 of its 4 images are not made" in refusal(campaign, make_newcomer(campaign, images=2))


def test_arm_that_is_there_already_is_refused():
    campaign = make()
    assert "is an arm of" in refusal(campaign, campaign.contenders[1].checkpoint)


def test_arm_cannot_join_a_campaign_that_shows_all_together():
    campaign = make(form="ranking", design="together")
    assert "shows all its arms together" in refusal(campaign, make_newcomer(campaign))


def test_arm_cannot_join_a_closed_campaign():
    campaign = make()
    close_campaign(campaign=campaign)
    campaign.refresh_from_db()
    assert "is closed" in refusal(campaign, make_newcomer(campaign))
