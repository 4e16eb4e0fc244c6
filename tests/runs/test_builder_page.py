"""The campaign builder as a page: nothing that is chosen gets lost on the way through a form."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.members import set_member
from evalplatform.accounts.models import User
from evalplatform.accounts.projects import Role, default_project
from evalplatform.campaigns.models import Campaign
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.telling import HowFar
from evalplatform.images.services import import_collection
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.runs.choices import parse_choices
from evalplatform.runs.models import Draft
from evalplatform.runs.services import (
    ask_to_open,
    launch_draft,
    make_draft,
    open_asked,
    wake_silent_opening,
)
from evalplatform.runs.services.launching import _note_opening as note_opening
from tests import factories
from tests.images import given

pytestmark = pytest.mark.django_db
FULL = {
    "name": "run", "arms": ["one", "two", "three"], "design": "random=2", "seed": 5,
    "images_per_prompt": 2, "votes_per_annotator": 40,
    "prompts": {"sets": ["things@1"], "limit": 4,
                "filter": {"tag": ["stylized"], "text": ["number", "prompt"], "third": 2,
                           "third_seed": 8}},
    "criteria": [{"slug": "visual_appeal", "k": 3},
                 {"slug": "mood", "question": "Which is <b>calmer</b>?", "shows_prompt": True,
                  "form": "pair", "k": 2}],
    "sampler": {"sampler": "halton", "steps": 7, "guidance_scale": 1.5, "negative_prompt": "blur",
                "height": 64, "width": 64},
    "generation": {"priority": 2, "budget_minutes": 30},
    "rules": {
        "annotation": {"door": "crowd", "session_cap": 30, "break_every": 10},
        "crowd": {"platform": "connect", "completed_code": "AB12"},
        "quality": {"gold_rate": 0.05, "exclude_gold_below": 0.7, "min_response_ms": 300},
        "safety": {"threshold": 0.6},
        "pay": {"wage_per_hour": 12.5, "currency": "EUR", "fee_percent": 25},
        "questionnaire": [{"name": "screen", "label": "On what?", "choices": ["a", "b"]}],
    },
}  # fmt: skip


@pytest.fixture
def client(rania):
    for name in ("one", "two", "three"):
        factories.make_checkpoint(name)
    factories.make_prompt_set("things", 12)
    client = Client()
    client.force_login(rania)
    return client


def filled(page) -> dict:
    """Return what a browser would post of the form as it stands."""
    form, criteria = page.context["form"], page.context["criteria"]
    posted = {}
    for each in (form, criteria.management_form, *criteria):
        for field in each:
            value = field.value()
            if value is None and field.widget_type == "select":
                value = field.field.choices[0][0]  # a browser chooses the first
            if value not in (None, False, ""):
                posted[field.html_name] = value
    return posted


def stored(page) -> Draft:
    return Draft.objects.get(pk=int(page["Location"].split("/")[2]))


def test_everything_that_was_chosen_comes_back_from_the_form(client):
    draft = make_draft(project=default_project(), choices=parse_choices(FULL))
    address = reverse("runs:draft", args=[draft.pk])
    page = client.get(address)
    assert b"Which is &lt;b&gt;calmer&lt;/b&gt;?" in page.content
    client.post(address, filled(page))
    draft.refresh_from_db()
    assert draft.choices == parse_choices(FULL).as_dict()
    assert draft.version == 1  # nothing changed
    client.post(address, filled(page) | {"steps": "9", "criteria-1-remove": "on"})
    draft.refresh_from_db()
    assert draft.choices["sampler"]["steps"] == 9
    assert [each["slug"] for each in draft.choices["criteria"]] == ["visual_appeal"]


def test_new_site_is_led_to_pages_that_bring_models_and_prompts(client, rania):
    upload, models = reverse("prompts:upload"), reverse("registry:list") + "#upload-heading"
    there = client.get(reverse("runs:new_campaign")).content.decode()
    assert upload not in there
    assert models not in there
    Prompt.objects.all().delete()
    PromptSet.objects.all().delete()
    Checkpoint.objects.exclude(name="one").delete()
    page = client.get(reverse("runs:new_campaign")).content.decode()
    for address in (upload, models, reverse("registry:imports"), reverse("prompts:logs")):
        assert f'href="{address}"' in page, address
    for address in (reverse("reports:campaign_list"), reverse("generation:overview")):
        page = client.get(address).content.decode()
        assert f'class="button button-main" href="{reverse("runs:new_campaign")}"' in page


def test_who_may_only_read_is_offered_no_new_campaign(client):
    vera = User.objects.create_user("vera")
    set_member(project=default_project(), user=vera, role=Role.VIEWER)
    client.force_login(vera)
    pages = [reverse(name) for name in ("reports:campaign_list", "runs:drafts")]
    for address in (*pages, reverse("generation:overview")):
        assert reverse("runs:new_campaign") not in client.get(address).content.decode(), address


def test_new_campaign_is_stored_at_its_first_save_and_reviewed(client):
    page = client.get(reverse("runs:new_campaign"))
    assert not Draft.objects.exists()
    given = filled(page) | {"arm_a": "one", "arm_b": "two", "sets": ["things@1"], "preset": "emu"}
    saved = client.post(reverse("runs:new_campaign"), given)
    draft = stored(saved)
    assert draft.choices["arms"] == ["one", "two"]
    assert draft.choices["criteria"][1]["form"] == "pair_both_neither"
    review = client.get(saved["Location"].partition("#")[0]).content.decode()
    assert "96 on 24 items" in review
    assert "Generate 24 images" in review


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"steps": "many"}, "Enter a whole number."),
        ({"more_rules": "[quality"}, "> Other rules, as TOML: Expected"),
        (
            {"more_rules": "[quality]\nluck = 1"},
            "> Other rules, as TOML: quality.luck: no such choice",
        ),
        (
            {"gold_rate": "40", "repeat_rate": "20"},
            "> “Gold among items” + “Repeats among items” is above 0.5",
        ),
        ({"height": "3"}, "> Height, pixels: Input should be greater than or equal to 8"),
        ({"criteria-0-shows_prompt": "on"}, "> Criterion 1: visual_appeal hides the prompt"),
        (
            {"design_kind": "random", "design_sets": "999999999"},
            "Ensure this value is less than or equal to 999999.",
        ),
        (
            {"criteria-1-slug": "visual_appeal", "criteria-1-shows_prompt": ""},
            "> two criteria have the same short name; give each its own",
        ),
        (
            {"criteria-2-slug": "x y", "criteria-2-question": "Which?"},
            "“x y”: a small letter",
        ),
        ({"currency": "eur"}, "“eur”: three capital letters, as in EUR."),
        (
            {"name": "kept name", "seed": "kept-name"},
            "“kept name”: letters without accents",
        ),
        ({"negative_prompt": "a\0b"}, "Null characters are not allowed."),
    ],
    ids=range(12),
)
def test_what_is_wrong_is_said_and_what_was_filled_in_stays(client, wrong, said):
    page = client.get(reverse("runs:new_campaign"))
    answer = client.post(reverse("runs:new_campaign"), filled(page) | {"name": "kept-name"} | wrong)
    text = answer.content.decode()
    assert said in text
    assert "kept-name" in text
    assert re.findall(r"<summary>(\w[^<]*\w) <span", text)[:2] == [
        "Visual appeal",
        "Text faithfulness",
    ]
    assert text.count("Take this criterion out") >= 2
    assert not Draft.objects.exists()


@pytest.mark.parametrize(
    ("field", "answer", "fold"),
    [
        ("images_per_prompt", "0", "More arms, designs, several images"),
        ("steps", "99999999", "How images are sampled"),
        ("third_seed", "-1", "Take some of them"),
        ("exclude_gold_below", "400", "When votes stop counting"),
    ],
)
def test_fold_that_holds_what_is_wrong_is_open(client, field, answer, fold):
    given = filled(client.get(reverse("runs:new_campaign")))
    page = client.post(reverse("runs:new_campaign"), given | {field: answer}).content.decode()
    assert f'id="id_{field}_error"' in page
    assert f"<details open><summary>{fold}" in page
    assert page.count("<details open><summary>") == 1


def test_pairs_a_prompt_out_of_range_are_told_under_their_own_field(client):
    page = client.get(reverse("runs:new_campaign"))
    for pairs in ("0", "1000000"):
        given = filled(page) | {"design_kind": "random", "design_sets": pairs}
        answer = client.post(reverse("runs:new_campaign"), given)
        assert list(answer.context["form"].errors) == ["design_sets"]


def test_second_of_two_editors_sees_what_changed_and_keeps_what_they_filled_in(client):
    draft = make_draft(project=default_project(), choices=parse_choices(FULL))
    address = reverse("runs:draft", args=[draft.pk])
    page = client.get(address)
    other = User.objects.create_user("edith")
    set_member(project=default_project(), user=other, role="editor")
    second = Client()
    second.force_login(other)
    second.post(address, filled(page) | {"steps": "20", "limit": "3"})
    answer = client.post(address, filled(page) | {"steps": "30"})
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "edith saved version 2 meanwhile" in text
    assert "sampler.steps" in text
    assert 'name="steps" value="30"' in text
    client.post(address, filled(answer))
    draft.refresh_from_db()
    assert (draft.choices["sampler"]["steps"], draft.version) == (30, 3)


def test_what_changed_within_a_criterion_is_told(client):
    draft = make_draft(project=default_project(), choices=parse_choices(FULL))
    address = reverse("runs:draft", args=[draft.pk])
    page = client.get(address)
    given = filled(page)
    client.post(address, given | {"criteria-0-k": "7"})
    answer = client.post(address, given | {"criteria-0-k": "9"})
    slug, k = given["criteria-0-slug"], given["criteria-0-k"]
    assert f"criteria: {slug} k: {k} → 7. You both changed" in answer.content.decode()


def test_viewer_reads_a_draft_and_has_no_button(client):
    draft = make_draft(project=default_project(), choices=parse_choices(FULL))
    viewer = User.objects.create_user("vera")
    set_member(project=default_project(), user=viewer, role="viewer")
    client.force_login(viewer)
    text = client.get(draft.get_absolute_url()).content.decode()
    assert "Save and review" not in text
    assert "Generate" not in text.replace("Generation", "")


def test_preview_is_the_annotators_page_in_the_drafts_words(client):
    draft = make_draft(project=default_project(), choices=parse_choices(FULL))
    shown = client.get(reverse("runs:preview", args=[draft.pk, 1]))
    text = shown.content.decode()
    assert "Which is &lt;b&gt;calmer&lt;/b&gt;?" in text
    assert "a secret-things-prompt number" in text
    assert "preview-image" in text
    assert shown["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in shown["Content-Security-Policy"]
    hidden = client.get(reverse("runs:preview", args=[draft.pk, 0])).content.decode()
    assert "secret-things-prompt" not in hidden


def test_from_draft_to_link_by_the_page(client):
    chosen = {key: FULL[key] for key in ("name", "prompts")} | {
        "arms": ["one", "two"], "preset": "default",
    }  # fmt: skip
    draft = make_draft(project=default_project(), choices=parse_choices(chosen))
    page = draft.get_absolute_url()
    client.post(reverse("runs:launch", args=[draft.pk]), {"version": "1"})
    text = client.get(page).content.decode()
    assert "No worker lives" in text
    assert "Open to annotators" not in text
    campaign = Campaign.objects.get(slug="run")
    factories.make_samples(campaign)
    text = client.get(page).content.decode()
    assert "Opening freezes, for good" in text
    assert "with the filter that took them" in text
    client.post(reverse("runs:open", args=[draft.pk]))
    assert "Opening since" in client.get(page).content.decode()
    note_opening(draft.pk, HowFar("Images packed", 3, 12))
    note_opening(draft.pk, HowFar())  # of a worker that was asked too, and waits
    text = client.get(page).content.decode()
    assert "Images packed" in text
    assert "3 of 12" in text
    draft.refresh_from_db()
    assert open_asked(draft=draft, now=draft.opening_asked_at) == "open"
    campaign.refresh_from_db()
    assert f"/annotate/{campaign.invitation}/" in client.get(page).content.decode()


@pytest.mark.parametrize("arms", [["ours", "theirs"], ["one", "theirs"]])
def test_draft_of_images_that_exist_is_opened_on_its_page(client, tmp_path, arms):
    for start, name in ((0, "ours"), (50, "theirs")):
        files = {f"{number}.png": given.png(start + number) for number in range(12)}
        import_collection(
            project=default_project(), path=given.folder(tmp_path / name, files), name=name,
            model="DALL-E 3", prompt_set=PromptSet.objects.get(),
        )  # fmt: skip
    chosen = {"name": "run", "prompts": {"sets": ["things@1"]}, "arms": arms, "preset": "default"}
    draft = make_draft(project=default_project(), choices=parse_choices(chosen))
    client.post(reverse("runs:launch", args=[draft.pk]), {"version": "1"})
    factories.make_samples(Campaign.objects.get())
    text = client.get(draft.get_absolute_url()).content.decode()
    assert text.count("12 of 12") == 2
    assert "Nothing was asked of the workers yet" not in text
    assert "Opening freezes, for good" in text
    its_own = client.get(reverse("reports:dashboard", args=["run"])).content.decode()
    assert its_own.count("12 of 12") == 2


def test_opening_whose_worker_died_is_gone_on_with(client, monkeypatch, rania):
    chosen = {key: FULL[key] for key in ("name", "prompts")} | {
        "arms": ["one", "two"], "preset": "default",
    }  # fmt: skip
    woken = []
    monkeypatch.setattr("evalplatform.runs.services.launching._wake_worker", woken.append)
    draft = make_draft(project=default_project(), choices=parse_choices(chosen))
    launch_draft(draft=draft, version=1, user=rania)
    draft.refresh_from_db()
    now = timezone.now()
    assert not wake_silent_opening(draft=draft, now=now + timedelta(hours=1))  # nobody asked
    ask_to_open(draft=draft, user=rania, now=now)
    assert not wake_silent_opening(draft=draft, now=now + timedelta(seconds=90))
    assert wake_silent_opening(draft=draft, now=now + timedelta(minutes=3))
    assert not wake_silent_opening(draft=draft, now=now + timedelta(minutes=3))
    factories.make_samples(Campaign.objects.get())
    assert open_asked(draft=draft, now=now) == "open"
    assert not wake_silent_opening(draft=draft, now=now + timedelta(hours=1))


def test_draft_whose_parts_are_gone_says_so_and_keeps_them(client):
    draft = make_draft(
        project=default_project(), choices=parse_choices(FULL | {"arms": ["gone", "two"]})
    )
    page = client.get(draft.get_absolute_url())
    text = page.content.decode()
    assert "no checkpoint or image collection &#x27;gone&#x27;" in text
    assert "gone (not there)" in text
    client.post(draft.get_absolute_url(), filled(page))
    draft.refresh_from_db()
    assert draft.choices["arms"][0] == "gone"


def test_launching_without_a_version_or_twice_makes_at_most_one_campaign(client, rania):
    chosen = {
        "name": "run",
        "arms": ["one", "two"],
        "preset": "emu",
        "prompts": {"sets": ["things"]},
    }
    draft = make_draft(project=default_project(), choices=parse_choices(chosen))
    client.post(reverse("runs:launch", args=[draft.pk]), {"version": "x"})
    assert not Campaign.objects.exists()
    launch_draft(draft=draft, version=1, user=rania)
    client.post(reverse("runs:launch", args=[draft.pk]), {"version": "1"})
    assert Campaign.objects.count() == 1
