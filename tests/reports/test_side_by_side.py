"""Images of several models on the prompts that all of them have."""

import pytest
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.members import create_project
from evalplatform.accounts.models import User
from evalplatform.accounts.projects import default_project
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.generation.models import SamplerSettings
from evalplatform.generation.services import plan_samples, record_sample
from evalplatform.images.services import import_collection
from evalplatform.reports.side_by_side import side_by_side_context
from tests import factories
from tests.images import given

pytestmark = pytest.mark.django_db


@pytest.fixture
def prompts():
    return list(factories.make_prompt_set("things", 4).prompts.all())


def settings(**changed):
    return SamplerSettings.objects.get_or_create(**factories.SETTINGS | changed)[0]


def sampled(checkpoint, wanted, **changed):
    """Make images of (prompt, seed) pairs and return them."""
    rows = plan_samples(checkpoint=checkpoint, settings=settings(**changed), wanted=wanted)
    for row in rows:
        image = factories.make_image(10**6 + row.pk)
        record_sample(sample=row, image=image, now=timezone.now())
    return rows


def shown(user, *keys, **more):
    request = RequestFactory().get("/models/", {"model": keys} | more)
    request.user, request.session = user, {}
    return side_by_side_context(request)


def pictures(context):
    """Return the full images of each row by its prompt's place in the set."""
    return [[each.full.split("/")[-2] for each in row.images] for row in context["rows"]]


def keys(rows):
    return [str(each.pk) for each in rows]


def test_rows_are_the_prompts_of_which_every_model_has_an_image(rania, prompts, tmp_path):
    one, two = factories.make_checkpoint("one"), factories.make_checkpoint("two")
    first = sampled(one, [(prompt, 5) for prompt in prompts])
    second = sampled(two, [(prompt, 5) for prompt in prompts[1:]])
    brought = import_collection(
        project=default_project(), name="brought", model="DALL-E 3",
        path=given.folder(tmp_path, {"1.png": given.png(1), "3.png": given.png(3)}),
        prompt_set=prompts[0].prompt_set,
    ).collection  # fmt: skip
    found = shown(rania, "checkpoint:one", "checkpoint:two")
    assert [row.prompt for row in found["rows"]] == [each.text for each in prompts[1:]]
    assert pictures(found) == [
        list(pair) for pair in zip(keys(first[1:]), keys(second), strict=True)
    ]
    found = shown(rania, "checkpoint:two", "collection:brought", "checkpoint:one")
    assert [row.note for row in found["rows"]] == ["seeds: A 5, C 5"] * 2
    images = keys(brought.images.order_by("position"))
    assert [row[1] for row in pictures(found)] == images
    found = shown(rania, "checkpoint:one", "checkpoint:two", q="number 3", set="things@1")
    assert [row.prompt for row in found["rows"]] == [prompts[3].text]
    assert not shown(rania, "checkpoint:one", "checkpoint:two", set="things@2")["rows"]


def test_second_image_is_of_another_seed_and_a_seed_made_again_counts_once(rania, prompts):
    one, two = factories.make_checkpoint("one"), factories.make_checkpoint("two")
    sampled(one, [(prompts[0], 5)])
    again = sampled(one, [(prompts[0], 5)], steps=9)
    other = sampled(one, [(prompts[0], 8)])
    second = sampled(two, [(prompts[0], 5), (prompts[0], 9), (prompts[1], 5)])
    assert pictures(shown(rania, "checkpoint:one", "checkpoint:two")) == [
        keys([again[0], second[0]])
    ]
    found = shown(rania, "checkpoint:one", "checkpoint:two", image="2")
    assert pictures(found) == [keys([other[0], second[1]])]
    assert found["rows"][0].note == "seeds: A 8, B 9"
    assert list(found["images"]) == [1, 2]
    assert not shown(rania, "checkpoint:one", "checkpoint:two", image="3")["rows"]


def test_prompts_of_two_versions_of_a_set_are_the_same_where_their_text_is(rania, prompts):
    one, two = factories.make_checkpoint("one"), factories.make_checkpoint("two")
    newer = factories.make_prompt_set("tagged", 4)
    with factories.thawed():
        newer.prompts.filter(position=2).update(text=prompts[2].text)
    sampled(one, [(prompt, 5) for prompt in prompts])
    made = sampled(two, [(prompt, 5) for prompt in newer.prompts.all()])
    found = shown(rania, "checkpoint:one", "checkpoint:two")
    assert [row[1] for row in pictures(found)] == keys(made[2:3])


def test_what_is_not_there_is_told_and_a_fifth_model_is_left_out(client, rania, prompts):
    stranger = User.objects.create_user("stan")
    theirs = create_project(name="theirs", owner=stranger)
    for name in "abcde":
        sampled(factories.make_checkpoint(name), [(prompts[0], 5)])
    factories.make_checkpoint("foreign", project=theirs)
    client.force_login(rania)
    address = reverse("registry:list")
    all_of = [f"checkpoint:{name}" for name in "abcde"]
    page = client.get(address, {"model": [*all_of, "checkpoint:foreign", "nonsense"]})
    said = page.content.decode()
    assert "left out: e" in said
    assert "There is no model “checkpoint:foreign”" in said
    assert "There is no model “nonsense”" in said
    assert said.count('class="pair-card"') == 1
    assert "Choose two to four models" in client.get(address, {"model": ""}).content.decode()
    # Of a shared prompt set or checkpoint alone nothing of another project is shown.
    assert not shown(stranger, "checkpoint:a", "checkpoint:b")["columns"]
    Checkpoint.objects.update(is_shared=True)
    assert not shown(stranger, "checkpoint:a", "checkpoint:b")["rows"]


def test_campaigns_in_which_all_were_compared_are_linked(rania):
    one, two, _ = (factories.make_checkpoint(name) for name in ("one", "two", "three"))
    campaign = factories.make_draft(slug="both", arms=[one, two])
    assert list(shown(rania, "checkpoint:one", "checkpoint:two")["campaigns"]) == [campaign]
    assert not shown(rania, "checkpoint:one", "checkpoint:three")["campaigns"]
