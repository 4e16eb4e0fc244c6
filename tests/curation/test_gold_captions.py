"""Captions known to be right or wrong: mixed into the approval unseen, and never let through."""

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.urls import reverse
from PIL import Image

from evalplatform.annotation.models import Vote
from evalplatform.campaigns.models import ImageSet
from evalplatform.core.errors import BadInputError
from evalplatform.curation.exporting import export_pool
from evalplatform.curation.gold_folder import read_gold_captions, read_gold_folder
from evalplatform.curation.models import Caption, CaptionRound
from evalplatform.curation.people import approvers_of
from evalplatform.simulation.known_quality import known_images
from evalplatform.simulation.reviewers import KnownImage, draw_reviewers
from tests.curation.pools import png, write_gold
from tests.curation.test_captions import answer, enter, step, write_all

database = pytest.mark.django_db(transaction=True)


@pytest.fixture
def approval(kept, early_gold, tmp_path):
    """An open approval of four captions and two that are gold, and who judges it."""
    write_all(kept, "anna", "ben")
    gold = write_gold(tmp_path / "gold", right=1, wrong=1)
    opened = step(kept, "cleo", gold=gold, gold_rate=0.5)
    return opened.campaign, enter(opened)["cleo"], gold


def by_text(image, text):
    return "reject" if text == "It is wrong." else "approve"


@database
def test_gold_captions_tell_each_persons_recall_and_go_nowhere(
    approval, kept, client, rania, capsys, tmp_path
):
    campaign, cleo, _ = approval
    checks = campaign.image_sets.filter(purpose="check").order_by("expected")
    assert [(each.expected, each.prompt_text) for each in checks] == [
        ([0], "It is wrong."), ([1], "It is right."),
    ]  # fmt: skip
    assert answer(cleo, by_text) == 6
    (told,) = approvers_of(kept)
    assert (told.pseudonym, told.approved.hits, told.approved.total) == (
        cleo.annotator.pseudonym, 4, 4,
    )  # fmt: skip
    assert (told.right.hits, told.right.total, told.wrong.hits, told.wrong.total) == (1, 1, 0, 1)
    assert 0 < told.right.low < 1  # an interval

    going = CaptionRound.objects.get()
    known = Vote.objects.get(assignment__purpose="gold", answer="approve")
    written = Vote.objects.filter(form="caption").first()
    image = kept.images.get(image=written.assignment.item.image_set.images.get().collected)
    with pytest.raises(IntegrityError, match="not what its votes say"), transaction.atomic():
        Caption.objects.create(
            round=going, pool_image=image, written=written, judged=known, approved=True
        )
    assert step(kept).approved == 4
    export_pool(pool=kept, out=tmp_path / "out")
    text = "".join(each.read_text() for each in (tmp_path / "out").glob("*.json*"))
    assert "A bright drawing" in text
    assert "It is " not in text
    assert len(list((tmp_path / "out").rglob("*.png"))) == 4

    client.force_login(rania)
    shown = client.get(reverse("curation:pool", args=["needles"])).content.decode()
    assert '"Approves of known right">1 of 1: 100 % [21, 100]' in shown
    call_command("curation", "status", "needles")
    assert (
        "of known right 1 of 1: 100 % [21, 100]; of known wrong 0 of 1" in capsys.readouterr().out
    )
    (row,) = client.get("/api/v1/pools/needles").json()["approvers"]
    assert (row["right"]["hits"], row["wrong"]["hits"], row["wrong"]["total"]) == (1, 0, 1)


@database
def test_reviewers_answer_gold_captions_by_their_truth(approval, kept):
    campaign, _, _ = approval
    truth = {each.image.source_sha256: KnownImage(0.9) for each in kept.images.all()}
    known = known_images(campaign, truth)
    (honest,) = draw_reviewers(1, role="generalists", seed=1, known=known, refuses=0)
    for each in campaign.image_sets.all():
        with default_storage.open(each.files[0]) as file:
            said = honest.answer("approve", [file.read()], each.prompt_text)
        assert said == ("reject" if each.expected == [0] else "approve")


@database
def test_gold_that_people_have_seen_is_not_theirs_again(approval, kept):
    _, cleo, gold = approval
    answer(cleo, lambda image, text: "reject")
    assert approvers_of(kept)[0].right.value == 0
    with pytest.raises(BadInputError, match="this step closes one"):
        step(kept, gold=gold)
    step(kept)
    with pytest.raises(BadInputError, match="this step opens the writing"):
        step(kept, "anna", gold=gold)
    write_all(kept, "anna", "ben")
    with pytest.raises(BadInputError, match="had all its 2 images"):
        step(kept, gold=gold)
    (gold / "right" / "new.png").write_bytes(png(2000))
    (gold / "right" / "new.txt").write_text("A picture of noise.")
    (gold / "right" / "own.png").write_bytes(png(0))
    (gold / "right" / "own.txt").write_text("A picture of the pool.")
    with pytest.raises(BadInputError, match=r"own\.png is an image of the pool too"):
        step(kept, gold=gold)
    (gold / "right" / "own.png").unlink()
    opened = step(kept, gold=gold)
    assert opened.campaign.image_sets.gold().get().prompt_text == "A picture of noise."


@database
def test_folder_without_captions_is_refused_and_leaves_nothing(kept, tmp_path):
    write_all(kept, "anna", "ben")
    gold = write_gold(tmp_path / "gold", excellent=1, bad=1)
    with pytest.raises(CommandError, match=r"holds no captions, only excellent/, bad/; gold of"):
        call_command("curation", "captions", "needles", gold=gold)
    assert CaptionRound.objects.get().approval is None
    assert not ImageSet.objects.gold().exists()


def without(path):
    (path / "right" / "0.txt").unlink()


def spoilt(path):
    (path / "wrong" / "0.txt").write_text("two\nlines")


def twice(path):
    (path / "wrong" / "0.png").write_bytes((path / "right" / "0.png").read_bytes())


def shown(path):
    (path / "accepted").mkdir()
    (path / "accepted" / "0.png").write_bytes((path / "right" / "0.png").read_bytes())


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (without, r"right/0\.png has no caption; write one that is known to be right into 0\.txt"),
        (spoilt, r"wrong/0\.txt: the caption holds the control character U\+000A"),
        (twice, r"wrong/0\.png is the same image as .*right/0\.png"),
        (shown, r"right/0\.png is the same image as .*accepted/0\.png"),
    ],
)
def test_caption_that_could_not_be_served_is_refused(tmp_path, damage, words):
    gold = write_gold(tmp_path / "gold", right=1, wrong=1)
    assert [each.caption for each in read_gold_captions(gold)] == ["It is right.", "It is wrong."]
    damage(gold)
    with pytest.raises(BadInputError, match=words):
        read_gold_captions(gold)


def test_gold_of_too_many_pixels_is_named(tmp_path):
    gold = write_gold(tmp_path / "gold", excellent=1)
    Image.new("1", (20_000, 10_000)).save(gold / "excellent" / "0.png")
    with pytest.raises(BadInputError, match=r"excellent/0\.png cannot be read as an image"):
        read_gold_folder(gold)


def test_why_that_a_windows_editor_saved_is_read(tmp_path):
    gold = write_gold(tmp_path / "gold", excellent=1, accepted=1)
    (gold / "accepted" / "0.txt").write_text("Well lit.", encoding="utf-8-sig")
    assert [each.why for each in read_gold_folder(gold)] == ["It is excellent.", "Well lit."]
