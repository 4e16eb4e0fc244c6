"""What can be sent and asked, and what is refused with a sentence that helps."""

import hashlib
import io
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone
from PIL import Image

from evalplatform.accounts.models import AuditEntry
from evalplatform.core.errors import BadInputError, ConflictError
from evalplatform.flows import services
from evalplatform.flows.models import FlowBatch, FlowImage
from evalplatform.flows.services import keeping
from tests.flows.conftest import ask, new_flow, png, send

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def keep(flow, content: bytes, sha256: str = ""):
    digest = sha256 or hashlib.sha256(content).hexdigest()
    return services.keep_image(flow=flow, sha256=digest, content=content, now=NOW)


def encoded(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, kind)
    return file.getvalue()


def panel(*images: str, prompt: str = "a thing") -> services.AskedPanel:
    return services.AskedPanel(prompt, images)


def asked(flow, *panels, deadline: int | None = None):
    return services.ask_batch(
        flow=flow, panels=panels, deadline_seconds=deadline, user=None, now=NOW
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_an_image_that_is_sent_twice_is_stored_once(flow, kind):
    first, is_new = keep(flow, encoded(kind))
    again, is_new_again = keep(flow, encoded(kind))
    assert (is_new, is_new_again, again.pk) == (True, False, first.pk)
    assert default_storage.exists(first.image)


@pytest.mark.parametrize(
    ("content", "sha256", "said"),
    [
        (png(1), "a" * 64, "nothing was stored"),
        (png(1), "no hash", "is no SHA-256"),
        (b"\x89PNG\r\n\x1a\n and no more", "", "the image"),
        (b"GIF89a", "", "none of PNG, JPEG, WEBP"),
        (b"", "", "none of PNG"),
    ],
)
def test_what_is_no_image_of_its_hash_is_refused(flow, content, sha256, said):
    with pytest.raises(BadInputError, match=said):
        keep(flow, content, sha256)
    assert not FlowImage.objects.exists()


def test_images_beyond_the_limits_are_refused(flow, monkeypatch):
    monkeypatch.setattr(keeping, "MOST_IMAGE_PIXELS", 63)
    with pytest.raises(BadInputError, match="8 x 8, over 63 pixels"):
        keep(flow, encoded("PNG"))
    monkeypatch.setattr(keeping, "MOST_IMAGE_BYTES", 10)
    with pytest.raises(BadInputError, match="scale it down"):
        keep(flow, encoded("PNG"))


def test_images_count_in_the_quota_before_and_after_they_are_asked_about(flow, monkeypatch):
    stored = []
    monkeypatch.setattr(keeping, "put_image", lambda name, packed: stored.append(name))
    content = png(1)
    flow.project.upload_quota_bytes = len(content) + 10
    flow.project.save()
    keep(flow, content)
    with pytest.raises(BadInputError, match="more than its"):
        keep(flow, png(2))
    assert len(stored) == 1, "what is refused fills no disk"
    FlowImage.objects.update(is_asked=True)
    with pytest.raises(BadInputError, match="more than its"):
        keep(flow, png(2))
    assert keep(flow, content)[1] is False, "what is there costs nothing"


def test_images_that_nobody_asked_about_are_removed_after_two_days(flow):
    (digest,) = send(flow, 1)
    ask(flow, 1)
    name = FlowImage.objects.get(sha256=digest).image
    assert services.forget_unasked(now=timezone.now() + timedelta(days=1)) == 0
    assert services.forget_unasked(now=timezone.now() + timedelta(days=3)) == 1
    assert not default_storage.exists(name)
    assert FlowImage.objects.count() == 3


def test_what_is_sent_again_is_kept_as_long_as_what_is_new(flow):
    now = timezone.now()
    send(flow, 1)
    for days in (1.9, 2.1):  # as by a trainer that began anew
        services.keep_image(
            flow=flow, sha256=hashlib.sha256(png(1)).hexdigest(), content=png(1),
            now=now + timedelta(days=days),
        )  # fmt: skip
    assert services.forget_unasked(now=now + timedelta(days=3)) == 0
    assert services.forget_unasked(now=now + timedelta(days=5)) == 1


def test_a_batch_is_written_down_at_once_and_waits_for_a_worker(flow):
    batch = ask(flow)
    assert (batch.number, batch.status, batch.campaign) == (1, "queued", None)
    assert ask(flow).number == 2
    entry = AuditEntry.objects.filter(kind="flow batch").first()
    assert entry.label.startswith("taste batch")


def test_what_cannot_be_asked_is_refused_by_panel(flow):
    one, two, three, four = send(flow, 1, 2, 3, 4)
    whole = panel(one, two, three)
    for panels, said in [
        ((), "0 panels"),
        ((whole,) * 201, "201 panels"),
        ((whole, panel(one, two, prompt="b")), "panel 1 has 2 images"),
        ((panel(one, one, two),), "twice"),
        ((whole, panel(two, three, four)), "panels 0 and 1 have one prompt"),
        ((panel(one, two, "f" * 64),), "1 image is not there, the first 'ffff"),
        ((panel(one, two, three, prompt=" "),), "not only spaces"),
        ((panel(one, two, three, prompt="a\0b"),), "cannot be printed"),
    ]:
        with pytest.raises(BadInputError, match=said):
            asked(flow, *panels)
    for seconds in (0, -5, 31 * 86_400):
        with pytest.raises(BadInputError, match="counted from now"):
            asked(flow, whole, deadline=seconds)
    assert not FlowBatch.objects.exists()
    assert not FlowImage.objects.filter(is_asked=True).exists()


def test_images_of_another_flow_are_not_there(flow):
    other = new_flow("other")
    hashes = send(other, 1, 2, 3)
    with pytest.raises(BadInputError, match="3 images are not there"):
        asked(flow, panel(*hashes))


def test_a_closed_flow_takes_nothing(flow):
    hashes = send(flow, 1, 2, 3)
    services.close_flow(flow=flow, now=timezone.now())
    with pytest.raises(ConflictError, match="was closed"):
        asked(flow, panel(*hashes))
    with pytest.raises(ConflictError, match="was closed"):
        keep(flow, png(9))


def test_rules_that_would_stand_before_every_batch_are_refused():
    for rules in (
        {"annotation": {"door": "members"}},
        {"annotation": {"session_cap": 5}},
        {"quality": {"qualification_pairs": 2}},
        {"questionnaire": [{"name": "a", "label": "A", "choices": ["x", "y"]}]},
    ):
        with pytest.raises(BadInputError, match="before every batch"):
            new_flow("strict", rules=rules)


def test_a_flow_asks_about_as_many_images_as_its_form_takes():
    with pytest.raises(BadInputError, match="takes 3 to 8 images a panel, and 2"):
        new_flow("few", n=2)
    with pytest.raises(BadInputError, match="no figure is made"):
        new_flow("kept", n=1, form="keep_reject")
    new_flow("here")
    with pytest.raises(BadInputError, match="a flow 'here' already"):
        new_flow("here")


def test_the_database_keeps_what_was_asked(flow):
    batch = ask(flow)
    services.close_batch(batch=batch, now=timezone.now())
    for change in ({"panels": []}, {"number": 7}, {"status": "open", "ended_at": None}):
        with pytest.raises(IntegrityError, match="does not begin again"), transaction.atomic():
            FlowBatch.objects.filter(pk=batch.pk).update(**change)
