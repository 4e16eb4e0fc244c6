"""Every word of the annotator's pages can be translated.

The pages are rendered under a made-up language that puts each translated text into ⟦ ⟧; whatever
is visible outside such brackets was forgotten. The page's own script then runs on them, so that
its words are looked at too.
"""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import translation
from playwright.sync_api import expect

from evalplatform.annotation.presentation import GRID, page_state
from evalplatform.annotation.services import lease_items
from evalplatform.annotation.texts import script_texts
from evalplatform.campaigns.forms import FORMS
from tests import factories

ENDS = (
    "done", "finished", "waiting", "paused", "disqualified", "screened_out", "closed", "returned",
)  # fmt: skip
SPOKEN = ("alt", "aria-label", "title", "placeholder", "content")
# Key names and signs, and what is no word at all.
NO_WORDS = re.compile(
    r"([\d\s/.,:…?+\-←→↑↓⇧↵⌫|()]|\b[A-Z]\b|\bCtrl\b)*|width=device-width.*|light dark|noindex"
)
PAGES = {form.page for form in FORMS.values()} | {GRID}
QUESTIONS = [
    {
        "name": "screen",
        "label": "⟦What do you look at?⟧",
        "choices": [{"value": "p", "text": "⟦Phone⟧"}],
    },
    {"name": "remarks", "label": "⟦Anything to add?⟧", "kind": "text"},
]


@pytest.fixture
def made_up_language(monkeypatch):
    """Wrap whatever passes through gettext in ⟦ ⟧."""
    real = translation._trans

    class MadeUp:
        def __getattr__(self, name):
            return getattr(real, name)

        def gettext(self, message):
            return re.sub(r"(?:^|(?<=>))[^<>]+", r"⟦\g<0>⟧", message)  # not across a tag

        def pgettext(self, context, message):
            return f"⟦{message}⟧"

        def ngettext(self, singular, plural, number):
            return f"⟦{singular if number == 1 else plural}⟧"

    monkeypatch.setattr(translation, "_trans", MadeUp())


class Spoken(HTMLParser):
    """Collects what a person can read or hear."""

    def __init__(self):
        super().__init__()
        self.parts: list[str] = []
        self.inside: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "link", "img", "input", "br"):
            self.inside.append(tag)
        self.parts += [value for name, value in attrs if name in SPOKEN and value]

    def handle_endtag(self, tag):
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data):
        if not {"script", "style"} & set(self.inside):
            self.parts.append(data)


def forgotten(html: str) -> list[str]:
    """Return the visible pieces of a page that no translation would reach."""
    spoken = Spoken()
    spoken.feed(html)
    outside = [_outside_brackets(part).strip() for part in spoken.parts]
    names = {name for _, name in settings.LANGUAGES}  # each stands in its own language
    return [part for part in outside if not NO_WORDS.fullmatch(part) and part not in names]


def _outside_brackets(part: str) -> str:
    before = None
    while part != before:  # brackets may lie in brackets
        before, part = part, re.sub(r"⟦[^⟦⟧]*⟧", "", part)
    return part


def test_search_finds_a_forgotten_word():
    page = '<p>⟦Left⟧ 3 / 4</p><p>Right</p><img alt="An image"><script>let x</script>'
    assert forgotten(page) == ["Right", "An image"]


@pytest.fixture
def campaign_in_brackets(make_campaign):
    """A campaign whose stored texts are bracketed too: they come from the database."""
    campaign = make_campaign(rules={"quality": {"qualification_pairs": 0}})
    with factories.thawed():
        campaign.criteria.update(question="⟦question⟧", instructions="⟦instructions⟧")
    for each in campaign.image_sets.all():
        each.prompt_text = f"⟦prompt {each.position}⟧"
        each.save()
    return campaign


def work_page(campaign, **state) -> str:
    """The work page in a state, as the view renders it."""
    request = RequestFactory().get("/")
    request.session = {}
    shown = state["sets"][0] if state.get("sets") else None
    return render_to_string(
        "annotation/work.html",
        {
            "campaign": campaign,
            "state": state,
            "shown": shown,
            "pages": list(PAGES),
            "layout": "stacked_on_phones",
        },
        request,
    )


def without_patterns(html: str) -> str:
    """Return a page without the forms that wait in it: each is looked at as the one shown."""
    return re.sub(r"<template data-form-pattern.*?(?=\s*<dialog)", "", html, flags=re.DOTALL)


@pytest.mark.django_db
def test_every_visible_word_of_the_pages_is_translated(campaign_in_brackets, ana, made_up_language):
    from django.utils import timezone

    campaign = campaign_in_brackets
    invitation = reverse("annotation:work", args=[campaign.invitation])
    pages = {"welcome": Client().get(invitation).content.decode()}
    way_out = {"url": "/", "label": "⟦Return⟧"}
    example = {
        "question": "⟦question⟧", "prompt": "⟦prompt⟧", "why": "⟦why⟧",
        "images": [{"url": "/l", "is_good": True, "verdict": "⟦verdict⟧"}, {"url": "/r"}],
    }  # fmt: skip
    criteria = [
        {"question": "⟦question⟧", "page": form.page, "answers": form.buttons, "shows_prompt": True}
        for form in FORMS.values()
    ]
    pages["welcome prolific"] = render_to_string(
        "annotation/welcome.html",
        {
            "campaign": campaign, "criteria": criteria, "examples": [example],
            "layout": "stacked_on_phones",
            "pairs_expected": 3, "qualification": 5, "comprehension": 2, "platform": "⟦Panel⟧",
        },
    )  # fmt: skip
    question = {
        "name": "q",
        "label": "⟦label⟧",
        "choices": [{"value": "a", "text": "⟦a⟧"}],
        "was_wrong": False,
    }
    wrong = question | {"was_wrong": True, "answered": "⟦a⟧", "why": "⟦why⟧"}
    for number, asked in ((1, question), (2, wrong)):
        pages[f"comprehension, try {number}"] = render_to_string(
            "annotation/comprehension.html",
            {"campaign": campaign, "criteria": criteria, "problem": "⟦problem⟧",
             "asked": {"try": number, "tries": 2, "questions": [asked]}},
        )  # fmt: skip
    for why in ("closed", "paused", "done", "waiting"):
        pages[f"not now, {why}"] = render_to_string(
            "annotation/not_now.html", {"state": why, "exit": way_out, "again": "/"}
        )
    enrolment = factories.enrol(campaign=campaign, annotator=ana)
    now = timezone.now()
    held = lease_items(enrolment=enrolment, want=1, now=now)
    state = page_state(enrolment, held, now)
    for form in FORMS.values():
        judged = state["sets"][0] | {
            "page": form.page, "answers": form.buttons, "images": ["/1"] * form.least,
            "heads": [{"name": "head", "text": "⟦head⟧"}],
        }  # fmt: skip
        pages[form.name] = without_patterns(work_page(campaign, **(state | {"sets": [judged]})))
    member = state["sets"][0] | {"page": GRID, "images": ["/1"]}
    grid = member | {"members": [member, member]}
    pages[GRID] = without_patterns(work_page(campaign, **(state | {"sets": [grid]})))
    for end in ENDS:
        changed = {"state": end, "sets": [], "exit": way_out}
        pages[end] = work_page(campaign, **(state | changed))
    changed = {"state": "questionnaire", "sets": [], "questionnaire": QUESTIONS}
    pages["questionnaire"] = work_page(campaign, **(state | changed))
    for name, html in pages.items():
        assert "⟦" in html
        assert forgotten(html) == [], name


@pytest.mark.django_db
def test_every_text_of_the_script_is_translated(campaign_in_brackets, made_up_language):
    html = work_page(campaign_in_brackets, state="done", progress={"done": 0, "total": 0})
    block = re.search(r'id="texts"[^>]*>(.*?)</script>', html, re.DOTALL)
    texts = json.loads(block.group(1))
    assert len(texts) > 20
    said = [text for words in texts.values() for text in forms_of(words)]
    assert [text for text in said if not re.fullmatch("⟦.+⟧", text)] == []


def forms_of(words: str | dict[str, str]) -> list[str]:
    return [words] if isinstance(words, str) else list(words.values())


def test_every_text_of_the_script_is_used_and_there():
    """A name that the script asks for and nobody wrote would be an error on some bad day."""
    code = "".join(
        file.read_text() for file in (Path(settings.BASE_DIR) / "static/js/annotate").rglob("*.js")
    )
    there = set(script_texts())
    # Names that are put together from the connection.
    made = {f"{kind}_{what}" for kind in ("offline", "busy") for what in ("queued",)}
    made |= {f"next_{kind}_kept" for kind in ("offline", "busy")}
    asked = {name for name in there if f'"{name}"' in code} | made
    assert there - asked == set()
    assert set(re.findall(r'\btext\("(\w+)"', code)) <= there


@pytest.mark.e2e
@pytest.mark.django_db(transaction=True)
def test_words_that_the_script_shows_are_translated(
    open_page, campaign_in_brackets, made_up_language
):
    """The page of the made-up language in a real browser, through an answer, offline and help."""
    annotator = open_page(campaign_in_brackets).begin()
    client = Client()
    client.cookies.load({each["name"]: each["value"] for each in annotator.context.cookies()})
    html = client.get(urlsplit(annotator.url).path).content.decode()
    annotator.tab.route(
        annotator.url, lambda route: route.fulfill(body=html, content_type="text/html")
    )

    def bracketed(state: dict) -> dict:
        for each in state["sets"]:
            each["instructions"] = "⟦instructions⟧"
        return state

    annotator.serve_state(bracketed)
    annotator.open()
    annotator.wait_until_ready()
    annotator.wait_until_preloaded()

    def assert_bracketed() -> None:
        lines = annotator.tab.locator("main").inner_text().split("\n")
        lines.append(annotator.tab.locator("[data-announce]").text_content())
        assert [line for line in lines if forgotten(f"<p>{line}</p>")] == []

    annotator.context.set_offline(True)
    for _ in range(3):
        assert_bracketed()
        annotator.press("ArrowLeft")
        annotator.tab.wait_for_timeout(400)
    expect(annotator.between).to_contain_text("⟦Offline: your 3 answers")
    assert_bracketed()
    annotator.press("h")
    assert_bracketed()
