"""Captions: written by one person, approved by another, written anew where they are not."""

import json
import re
import uuid

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from evalplatform.annotation.models import Assignment, Enrolment, SurplusVote, Vote
from evalplatform.annotation.services import Answer, enrol_invited, lease_items, record_vote
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.curation.exporting import export_pool
from evalplatform.curation.models import Caption, CaptionRound
from evalplatform.curation.services import StagePlan, close_stage, open_stage, step_captions
from models_backend.data.manifest import read_records

pytestmark = pytest.mark.django_db(transaction=True)


def step(pool, *people, **options):
    return step_captions(pool=pool, people=people, now=timezone.now(), **options)


def enter(opened):
    """Let everybody who is invited begin; return their enrolments by label."""
    return enter_all(opened.campaign.slug)


def enter_all(slug):
    campaign = Campaign.objects.get(slug=slug)
    return {
        each.label: enrol_invited(campaign=campaign, invitation_id=each.pk, now=timezone.now())
        for each in campaign.invitations.order_by("number")
    }


def shown(assignment):
    image_set = assignment.item.image_set
    return image_set.images.get().collected, image_set.prompt_text


def answer(enrolment, says, most=None):
    """Answer what is offered, as `says` (an image, the text shown) tells; return how much."""
    count = 0
    while count != most and (held := lease_items(enrolment=enrolment, want=1, now=timezone.now())):
        image, text = shown(held[0])
        record_vote(
            enrolment=enrolment, now=timezone.now(),
            answer=Answer(held[0].public_id, says(image, text), uuid.uuid4()),
        )  # fmt: skip
        enrolment.refresh_from_db()
        count += 1
    return count


def describe(image, text):
    return f"A bright drawing, image {image.position} of the pool."


def write_all(pool, *people):
    opened = step(pool, *people)
    for enrolment in enter(opened).values():
        answer(enrolment, describe)
    return opened.round


def test_rejected_caption_is_written_anew_until_another_person_approves_it(kept, tmp_path):
    opened = step(kept, "anna", "ben")
    people = enter(opened)
    assert answer(people["anna"], describe, most=2) == 2
    with pytest.raises(BadInputError, match="needles-captions-1: 2 captions are missing"):
        step(kept)
    assert answer(people["ben"], describe) == 2

    opened = step(kept)  # approved by those who wrote, each of the other's
    approvers = enter(opened)
    assert {name: each.annotator_id for name, each in approvers.items()} == {
        name: each.annotator_id for name, each in people.items()
    }

    def strictly(image, text):
        assert text == describe(image, "")
        return "reject" if image.position == 1 else "approve"

    assert answer(approvers["anna"], strictly) == 2  # and never the own two
    assert answer(approvers["ben"], strictly) == 2
    closed = step(kept)
    assert (closed.approved, closed.rejected) == (3, 1)
    for each in Caption.objects.select_related("written", "judged"):
        assert each.written.annotator_id != each.judged.annotator_id
    with pytest.raises(BadInputError, match="1 of 4 images have no approved caption"):
        export_pool(pool=kept, out=tmp_path / "out")

    opened = step(kept, "anna")
    (anna,) = enter(opened).values()
    assert answer(anna, lambda image, text: "Drawn once more, and better.") == 1
    with pytest.raises(BadInputError, match="nobody but its writer could approve"):
        step(kept)
    (cleo,) = enter(step(kept, "cleo")).values()
    assert answer(cleo, lambda image, text: "approve") == 1
    assert step(kept).approved == 1
    assert step(kept).round is None  # nothing is left to do

    export_pool(pool=kept, out=tmp_path / "out")
    records = {each.caption for each in read_records(tmp_path / "out")}
    assert records == {"Drawn once more, and better."} | {
        f"A bright drawing, image {number} of the pool." for number in (0, 2, 3)
    }
    rows = [
        json.loads(line) for line in (tmp_path / "out" / "curation.jsonl").read_text().splitlines()
    ]
    assert rows[1]["caption"] == "Drawn once more, and better."
    assert rows[1]["imported_caption"] == "a thing number 0"
    first, second = rows[1]["captions"]
    assert (first["round"], first["approved"], second["approved"]) == (1, False, True)
    assert second["written_by"] == anna.annotator.pseudonym
    assert second["judged_by"] == cleo.annotator.pseudonym
    mark = json.loads((tmp_path / "out" / "dataset.json").read_text())["curation"]
    assert [(each["approved"], each["rejected"]) for each in mark["caption_rounds"]] == [
        (3, 1), (1, 0)
    ]  # fmt: skip


def test_writer_is_not_offered_what_they_wrote_even_when_nothing_else_is_left(kept):
    write_all(kept, "anna", "ben")
    approvers = enter(step(kept))
    for each in approvers.values():
        while held := lease_items(enrolment=each, want=8, now=timezone.now()):
            for slot in held:
                image, _text = shown(slot)
                wrote = Vote.objects.get(
                    form="caption", assignment__item__image_set__images__collected=image
                )
                assert wrote.annotator_id != each.annotator_id
                record_vote(
                    enrolment=each, now=timezone.now(),
                    answer=Answer(slot.public_id, "approve", uuid.uuid4()),
                )  # fmt: skip
    assert not Assignment.objects.pending().exists()


def test_database_refuses_a_caption_that_its_writer_judged(kept):
    going = write_all(kept, "anna", "ben")
    step(kept)
    going.refresh_from_db()
    written = Vote.objects.filter(form="caption").select_related("annotator").first()
    image = written.assignment.item.image_set.images.get().collected
    slot = Assignment.objects.get(campaign=going.approval, item__image_set__images__collected=image)
    judged = Vote.objects.create(
        assignment=slot, annotator=written.annotator, form="approve", answer="approve", order=[0],
        grades=[1], idempotency_key=uuid.uuid4(), is_simulated=False, voted_at=timezone.now(),
    )  # fmt: skip
    fields = {"round": going, "pool_image": kept.images.get(image=image), "approved": True}
    with pytest.raises(IntegrityError, match="judged it too"), transaction.atomic():
        Caption.objects.create(written=written, judged=judged, **fields)
    assert not Caption.objects.exists()


def test_database_refuses_a_caption_other_than_its_votes_say_and_a_change(kept):
    going = write_all(kept, "anna", "ben")
    for each in enter(step(kept)).values():
        answer(each, lambda image, text: "approve")
    step(kept)
    caption = Caption.objects.first()
    with pytest.raises(IntegrityError, match="never change"), transaction.atomic():
        Caption.objects.filter(pk=caption.pk).update(approved=False)
    other = Caption.objects.exclude(pk=caption.pk).first()
    Caption.objects.all().delete()
    for wrong in ({"approved": False}, {"judged": other.judged}, {"pool_image": other.pool_image}):
        fields = {
            "round": going, "pool_image": caption.pool_image, "written": caption.written,
            "judged": caption.judged, "approved": True,
        }  # fmt: skip
        with pytest.raises(IntegrityError, match="not what its votes say"), transaction.atomic():
            Caption.objects.create(**fields | wrong)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("", "is not an answer"),
        ("x" * 1001, "1,001 characters"),
        ("a fox\u202e", r"U\+202E"),
        ("Number, THING!", "no word that did not come with the image"),
    ],
)
def test_text_that_is_no_caption_is_refused_and_the_image_stays_theirs(kept, said, words):
    (anna,) = enter(step(kept, "anna")).values()
    (held,) = lease_items(enrolment=anna, want=1, now=timezone.now())
    page = f"/annotate/{anna.campaign.invitation}/"
    client = Client()
    client.get(page, {"key": anna.annotator.access_key})
    fields = {"assignment": held.public_id, "idempotency_key": uuid.uuid4()}
    sent = client.post(
        f"{page}vote/", fields | {"answer": said}, headers={"accept": "application/json"}
    )
    assert sent.status_code == 400
    assert re.search(words, sent.json()["error"])
    assert (Vote.objects.filter(form="caption").count(), SurplusVote.objects.count()) == (0, 0)
    assert lease_items(enrolment=anna, want=1, now=timezone.now())[0].pk == held.pk


def test_long_caption_is_stored_whole_and_a_late_one_is_kept_whole(kept):
    (anna,) = enter(step(kept, "anna")).values()
    said = "Ein großer Fuchs — 狐. " * 40
    said = said.strip()
    assert answer(anna, lambda image, text: said, most=1) == 1
    assert Vote.objects.get(form="caption").answer == said
    (held,) = lease_items(enrolment=anna, want=1, now=timezone.now())
    Enrolment.objects.filter(pk=anna.pk).update(status="disqualified")
    record_vote(
        enrolment=anna, answer=Answer(held.public_id, said, uuid.uuid4()), now=timezone.now()
    )
    assert SurplusVote.objects.get().answer == said


def test_captions_wait_for_an_open_stage_and_need_names(needles, judge):
    stage = open_stage(pool=needles, plan=StagePlan("generalists"), now=timezone.now()).stage
    with pytest.raises(BadInputError, match="is still open; close it first"):
        step(needles, "anna")
    judge(stage, "gina", lambda image, expected: ["keep"])
    close_stage(stage=stage, now=timezone.now())
    with pytest.raises(BadInputError, match="name who writes them"):
        step(needles)
    with pytest.raises(BadInputError, match="somebody twice"):
        step(needles, "anna", "anna")
    step(needles, "anna")
    with pytest.raises(BadInputError, match="nothing was written"):
        step(needles, "ben", unfinished=True)
    assert CaptionRound.objects.get().approval is None


def test_command_tells_each_step_and_check_a_caption_that_fell(kept, capsys):
    from evalplatform.quality.services import exclude_by_hand

    def told(*given):
        call_command("curation", *given)
        return capsys.readouterr().out

    said = told("captions", "needles", "--people", "anna,ben")
    assert "needles-captions-1 asks for captions for 4 images" in said
    assert re.search(r"anna: http\S+/annotate/\S+\?invite=\S+\nben: ", said)
    with pytest.raises(CommandError, match="4 captions are missing"):
        told("captions", "needles")
    going = CaptionRound.objects.get()
    for each in going.writing.invitations.all():
        answer(
            enrol_invited(campaign=going.writing, invitation_id=each.pk, now=timezone.now()),
            describe, most=2,
        )  # fmt: skip
    assert "needles-approval-1 asks for approval of 4 images" in told("captions", "needles")
    going.refresh_from_db()
    for each in going.approval.invitations.all():
        answer(
            enrol_invited(campaign=going.approval, invitation_id=each.pk, now=timezone.now()),
            lambda image, text: "approve",
        )
    assert "4 approved, 0 rejected" in told("captions", "needles")
    assert "every image that is kept has an approved caption" in told("captions", "needles")
    assert "captions: 4 of 4 approved, 0 rejected" in told("status", "needles")
    assert "every decision is what its votes say" in told("check", "needles")
    exclude_by_hand(enrolment=going.writing.enrolments.first(), reason="a test", now=timezone.now())
    with pytest.raises(CommandError, match="2 approved captions rest on a vote"):
        told("check", "needles")


def test_unfinished_step_that_is_asked_for_twice_leaves_the_approval_open(kept):
    step(kept, "anna", "ben")
    people = enter_all("needles-captions-1")
    answer(people["anna"], describe, most=2)
    opened = step(kept, "cleo", unfinished=True)
    with pytest.raises(BadInputError, match="nothing was judged in needles captions 1"):
        step(kept, "cleo", unfinished=True)
    cleo = enter(opened)["cleo"]
    assert answer(cleo, lambda image, text: "approve") == 2
    assert step(kept).approved == 2
