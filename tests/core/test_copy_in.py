"""Rows that come by COPY are what INSERT would have made of them."""

import pytest
from django.db import IntegrityError

from evalplatform.core.copy_in import copy_in, reserve_ids
from evalplatform.promptsets.models import Prompt
from tests import factories

pytestmark = pytest.mark.django_db
ODD = [
    "plain",
    "tab\there",
    "line\nbreak",
    "back\\slash",
    "\\N",
    'quo"te',
    "",
    "ünï → 日本",
    "\r\n",
]
COLUMNS = ("id", "prompt_set_id", "position", "text", "category", "challenge", "tags", "note")


def test_every_text_comes_out_as_it_went_in():
    prompts = factories.make_prompt_set(count=0)
    ids = reserve_ids(Prompt, len(ODD))
    names = [field.column for field in Prompt._meta.concrete_fields]
    columns = [name for name in COLUMNS if name in names]
    rows = [
        [{"id": key, "prompt_set_id": prompts.pk, "position": at, "text": f"{at}{text}",
          "category": text, "challenge": "", "tags": [], "note": ""}[name] for name in columns]
        for at, (key, text) in enumerate(zip(ids, ODD, strict=True))
    ]  # fmt: skip
    assert copy_in(Prompt, columns, rows) == len(ODD)
    stored = Prompt.objects.order_by("position")
    assert [each.text for each in stored] == [f"{at}{text}" for at, text in enumerate(ODD)]
    assert [each.category for each in stored] == ODD


def test_arrays_keep_their_elements_and_null_stays_null():
    from evalplatform.campaigns.models import ShownImage

    campaign = factories.make_draft(prompts=1)
    factories.add_gold(campaign, "check", 1)
    gold = campaign.image_sets.gold().first()
    names = ['a "b"', "c,d", "e\\f", "", "{g}"]
    ShownImage.objects.filter(image_set=gold).delete()
    copy_in(
        ShownImage,
        ("image_set_id", "place", "arm_id", "sample_id", "copies"),
        [(gold.pk, 0, None, None, names)],
    )
    (image,) = ShownImage.objects.filter(image_set=gold)
    assert (image.copies, image.arm_id) == (names, None)


def test_reserved_keys_are_given_to_nobody_else():
    ids = reserve_ids(Prompt, 3)
    prompts = factories.make_prompt_set(count=2)
    assert len(set(ids)) == 3
    assert not set(ids) & set(prompts.prompts.values_list("pk", flat=True))


def test_row_that_breaks_a_constraint_is_refused_as_an_insert_is():
    prompts = factories.make_prompt_set(count=1)
    with pytest.raises(IntegrityError, match="duplicate key"):
        copy_in(
            Prompt,
            ("prompt_set_id", "position", "text", "category", "challenge", "tags", "note"),
            [(prompts.pk, 0, "twice the same place", "", "", [], "")],
        )
