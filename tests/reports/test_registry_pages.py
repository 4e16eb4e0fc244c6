"""The registry's pages: every checkpoint, its lineage, samples and campaigns."""

import re
from html.parser import HTMLParser

import pytest
from django.test import Client
from django.urls import reverse

from evalplatform.accounts.models import User
from evalplatform.accounts.projects import default_project
from evalplatform.checkpoints.models import Checkpoint, Upload
from evalplatform.generation.models import Sample
from evalplatform.reports import registry
from evalplatform.reports.cards import card_html
from evalplatform.reports.registry import lineage
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def researcher(client, rania):
    client.force_login(rania)
    return client


@pytest.fixture
def operator(db):
    return User.objects.create_superuser("olga")


def text(client, name, *args):
    return client.get(reverse(f"registry:{name}", args=args)).content.decode()


def test_registry_needs_a_sign_in(client):
    assert client.get(reverse("registry:list")).status_code == 302


def test_empty_registry_says_what_to_do(researcher):
    assert "No checkpoints yet" in text(researcher, "list")


def test_lineage_is_the_whole_family_from_its_oldest_down(operator):
    first = factories.make_checkpoint("first")
    tuned = factories.make_checkpoint("tuned", "quality_tuned", parent=first)
    other = factories.make_checkpoint("other", "quality_tuned", parent=first)
    again = factories.make_checkpoint("again", "quality_tuned", parent=other)
    factories.make_checkpoint("stranger")
    found = [(each.checkpoint, each.depth, each.is_self) for each in lineage(again, operator)]
    assert found == [
        (first, 0, False), (other, 1, False), (again, 2, True), (tuned, 1, False),
    ]  # fmt: skip


def test_lineage_begins_with_the_hash_of_a_parent_that_is_not_registered(researcher, operator):
    sha256 = factories.digest("base")
    tuned = factories.make_checkpoint("tuned", "quality_tuned", parent_id=sha256)
    other = factories.make_checkpoint("other", "quality_tuned", parent_id=sha256)
    found = [(each.checkpoint, each.sha256, each.depth) for each in lineage(tuned, operator)]
    assert found == [(None, sha256, 0), (other, other.sha256, 1), (tuned, tuned.sha256, 1)]
    page = text(researcher, "checkpoint", "tuned")
    assert f"parent not registered (sha256 <code>{sha256[:12]}…</code>)" in page
    assert f"not registered ({sha256[:8]}…)" in text(researcher, "list")
    base = factories.make_checkpoint("base")
    assert [each.checkpoint for each in lineage(tuned, operator)] == [base, other, tuned]
    assert "not registered" not in text(researcher, "checkpoint", "tuned")
    assert "not registered" not in text(researcher, "list")


def test_a_circle_of_parents_does_not_hang_the_page(operator):
    """Refused at the door; two doors at once can let it in."""
    one = factories.make_checkpoint("one", parent_id=factories.digest("two"))
    two = factories.make_checkpoint("two", parent_id=factories.digest("one"))
    assert {each.checkpoint for each in lineage(one, operator)} == {one, two}


def test_page_shows_campaigns_and_samples(researcher, draft):
    checkpoint = draft.contenders[0].checkpoint
    page = text(researcher, "checkpoint", checkpoint.name)
    assert draft.slug in page
    sample = Sample.objects.filter(checkpoint=checkpoint).first()
    url = reverse("registry:sample", args=[sample.pk])
    assert url in page
    assert sample.prompt.text in page
    image = researcher.get(url)
    assert image["Content-Type"] == "image/png"
    assert b"".join(image.streaming_content).startswith(b"\x89PNG")


def test_sample_is_for_researchers_only(client, draft):
    sample = Sample.objects.first()
    assert client.get(reverse("registry:sample", args=[sample.pk])).status_code == 302


def test_model_card_is_shown_as_text_never_as_markup(researcher, settings, tmp_path):
    settings.CHECKPOINT_DIR = tmp_path
    checkpoint = factories.make_checkpoint("carded")
    checkpoint.directory.mkdir(parents=True)
    (checkpoint.directory / "README.md").write_text("# Card\n<script>alert(1)</script>")
    page = text(researcher, "checkpoint", "carded")
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


CARD = """---
license: mit
---
# Trained on [emoji](https://example.org/emoji)

Some **bold** words, `code`, and a table:

| step | loss |
|---|--:|
| 1 | 0.5 |

![a picture](https://example.org/picture.png) ![another](picture.png) [licence](LICENSE)
"""


def write_card(settings, tmp_path, text):
    settings.CHECKPOINT_DIR = tmp_path
    checkpoint = factories.make_checkpoint("carded")
    checkpoint.directory.mkdir(parents=True)
    (checkpoint.directory / "README.md").write_text(text)


def test_model_card_is_formatted_text(researcher, settings, tmp_path):
    write_card(settings, tmp_path, CARD)
    page = text(researcher, "checkpoint", "carded")
    card = page.split('<div class="panel card">')[1]
    assert "<pre>license: mit</pre>" in card
    assert '<h3>Trained on <a href="https://example.org/emoji" rel="noopener noreferrer">' in card
    assert "<strong>bold</strong>" in card
    assert "<td>0.5</td>" in card
    assert "[a picture] [another] <a>licence</a>" in card
    assert "picture.png" not in card


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](data:text/html,alert)",
        "[x](vbscript:alert)",
        '[x](https://x "onmouseover=alert(1) x=")',
        '[x](https://x"onmouseover=alert(1))',
        "![<img src=x onerror=alert(1)>](https://x)",
        "<https://x onmouseover=alert(1)>",
        "[x]: javascript:alert(1)\n\n[x]",
        "```\n</code></pre><script>alert(1)</script>\n```",
        "```x<script>alert(1)</script>\na\n```",
        "---\nlicense: </pre><script>alert(1)</script>\n---\n",
        "|<script>|\n|-|\n|<svg onload=alert(1)>|",
    ],
)
def test_model_card_of_a_stranger_brings_no_markup_of_its_own(attack):
    made = HTMLParser()
    tags, attributes = [], []
    made.handle_starttag = lambda tag, attrs: (tags.append(tag), attributes.extend(attrs))
    made.feed(card_html(attack))
    assert set(tags) <= {"p", "a", "pre", "code", "table", "thead", "tbody", "tr", "th", "td"}
    for name, value in attributes:
        assert name in ("href", "rel", "title", "class"), (name, value)
        assert name != "href" or value.startswith("https://x")


def test_all_samples_can_be_seen(researcher, monkeypatch):
    campaign = factories.make_draft(prompts=30)
    name = campaign.contenders[0].checkpoint.name
    page = text(researcher, "checkpoint", name)
    assert page.count("<figure>") == 24
    every = reverse("registry:samples", args=[name])
    assert every in page
    assert "See all 30" in page
    monkeypatch.setattr(registry, "_SAMPLES_A_PAGE", 20)
    shown = [researcher.get(every, {"page": n}).content.decode() for n in (1, 2, "x", 99)]
    assert [each.count("<figure>") for each in shown] == [20, 10, 20, 10]
    images = [set(re.findall(r"samples/(\d+)/small", each)) for each in shown[:2]]
    assert len(images[0] | images[1]) == 30
    assert "?page=2" in shown[0]
    assert "Page 2 of 2" in shown[1]


def test_samples_page_is_for_researchers_and_of_known_checkpoints(client, rania, draft):
    url = reverse("registry:samples", args=[draft.contenders[0].checkpoint.name])
    assert client.get(url).status_code == 302
    client.force_login(rania)
    assert "See all" not in text(client, "checkpoint", draft.contenders[0].checkpoint.name)
    assert client.get(reverse("registry:samples", args=["nothing"])).status_code == 404


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("reports:campaign_list", "Campaigns"),
        ("registry:list", "Models"),
        ("generation:overview", "Generation"),
        ("plan_campaign", "Plan"),
    ],
)
def test_bar_says_on_which_page_one_is(researcher, name, label):
    bar = researcher.get(reverse(name)).content.decode().split("</nav>")[0]
    assert re.findall(r'aria-current="page">([^<]+)<', bar) == [label]


def test_pages_below_a_part_of_the_site_mark_that_part(researcher, draft):
    for url in (
        reverse("reports:dashboard", args=[draft.slug]),
        reverse("registry:checkpoint", args=[draft.contenders[0].checkpoint.name]),
    ):
        bar = researcher.get(url).content.decode().split("</nav>")[0]
        assert bar.count('aria-current="true"') == 1


def test_browser_finds_an_icon_where_a_page_names_none(client):
    answer = client.get("/favicon.ico")
    assert answer.status_code == 302
    assert "icon" in answer["Location"]


def test_parameters_and_training_are_told(researcher):
    Checkpoint.objects.filter(pk=factories.make_checkpoint("told").pk).update(
        parameters={"F16": 2_800_000_000},
        training={
            "recipe": "pretrain", "steps": {"denoiser": 9}, "parent": "",
            "settings": {"rate": 0, "lora": None, "parts": []},
        },
    )  # fmt: skip
    page = text(researcher, "checkpoint", "told")
    assert "2,800,000,000 F16" in page
    assert "denoiser 9" in page
    assert "rate 0" in page
    for what_it_lacks in ("lora", "parts", "parent</dt>"):
        assert what_it_lacks not in page
    assert "2.8 billion" in text(researcher, "list")


def test_hub_and_commit_are_told(researcher):
    commit = "c0ffee" * 6 + "c0ff"
    factories.make_checkpoint("from-hub", origin={"hub": "org/name", "commit": commit})
    page = text(researcher, "checkpoint", "from-hub")
    assert "org/name" in page
    assert commit in page
    factories.make_checkpoint("from-here")
    assert "From the hub" not in text(researcher, "checkpoint", "from-here")


def test_retiring_names_running_campaigns_and_shows_who_and_when(researcher, draft):
    name = draft.contenders[0].checkpoint.name
    page = text(researcher, "checkpoint", name)
    assert "Still running on it" in page.split("Retire this checkpoint")[1].split("</details>")[0]
    answer = researcher.post(reverse("registry:retire", args=[name]))
    assert answer["Location"] == reverse("registry:checkpoint", args=[name])
    page = text(researcher, "checkpoint", name)
    assert re.search(r"Retired</span>\s+on \d{4}-\d\d-\d\d \d\d:\d\d by rania", page)
    assert 'data-state="retired"' in text(researcher, "list")
    researcher.post(reverse("registry:restore", args=[name]))
    assert Checkpoint.objects.get(name=name).status == "verified"


def test_retiring_needs_a_sign_in_a_post_and_the_forms_token(rania):
    factories.make_checkpoint("kept")
    url = reverse("registry:retire", args=["kept"])
    client = Client(enforce_csrf_checks=True)
    assert client.post(url).status_code == 403
    client.force_login(rania)
    assert client.get(url).status_code == 405
    assert client.post(url).status_code == 403
    assert Checkpoint.objects.get().status == "verified"


@pytest.mark.parametrize("status", ["uploading", "verifying", "rejected"])
def test_list_shows_the_state_of_every_upload(researcher, status, settings, tmp_path):
    settings.CHECKPOINT_DIR = tmp_path
    Upload.objects.create(
        project=default_project(),
        file_name="sd.zip",
        size_bytes=10,
        checkpoint_name="sd",
        status=status,
        reason="no weights",
    )
    page = text(researcher, "list")
    assert f'data-state="{status}"' in page
    assert "no weights" in page
