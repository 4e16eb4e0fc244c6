"""The annotators' pages in ten languages: every text is there, and what is shown is stored."""

import ast
import gettext
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django.utils.translation.template import templatize

from evalplatform.annotation.models import Vote
from evalplatform.annotation.texts import script_texts
from evalplatform.campaigns.criteria import CriterionPlan
from evalplatform.campaigns.protocol import protocol_of
from evalplatform.campaigns.rules import parse_rules
from evalplatform.core.errors import BadInputError
from tests import factories

ROOT = Path(settings.BASE_DIR)
LANGUAGES = ("ar", "de", "es", "fr", "it", "ja", "ko", "pl", "pt", "zh_Hans")
CALLS = {"_", "gettext", "gettext_noop", "gettext_lazy", "ngettext", "ngettext_lazy"}
CODE = ("annotation", "campaigns", "core", "curation", "quality")
TEMPLATES = ("annotation/**/*.html", "flows/w*.html", "base.html", "error.html", "429.html")
HOLES = re.compile(r"%\(\w+\)s|\{\w+\}|</?kbd>")
JSON = {"accept": "application/json"}


def messages_of_code() -> set[str]:
    found = set()
    for file in (each for app in CODE for each in (ROOT / "evalplatform" / app).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in CALLS:
                found |= {each.value for each in node.args[:2] if isinstance(each, ast.Constant)}
    return {each for each in found if isinstance(each, str)}


def messages_of_templates() -> set[str]:
    found = set()
    for file in (each for name in TEMPLATES for each in (ROOT / "templates").glob(name)):
        calls = templatize(file.read_text(), origin=str(file))
        for call in re.findall(r"n?gettext\((.*?)\)(?=\s|$)", calls, re.DOTALL):
            strings = re.findall(r"""u?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""", call)
            found |= {ast.literal_eval(each) for each in strings}
    return found


def catalogue(language: str) -> dict:
    """Return what a compiled catalogue says: by message, or by (message, form) where it counts."""
    file = ROOT / "locale" / language / "LC_MESSAGES" / "django.mo"
    with file.open("rb") as stream:
        return gettext.GNUTranslations(stream)._catalog  # type: ignore[attr-defined]


def test_no_language_misses_a_text_or_changes_what_is_filled_in():
    needed = messages_of_code() | messages_of_templates()
    assert len(needed) > 250
    singulars = {call for call in needed if call}
    for language in LANGUAGES:
        said = {}
        for key, text in catalogue(language).items():
            message, form = key if isinstance(key, tuple) else (key, None)
            said.setdefault(message, []).append((form, text))
        missing = singulars - set(said)
        counted = {text for text in missing if HOLES.search(text)}  # second texts of what counts
        assert {text for text in missing - counted if text not in PLURALS} == set(), language
        for message, texts in said.items():
            for form, text in texts:
                assert text.strip() or not message, (language, message)
                if form is None and message:
                    assert sorted(HOLES.findall(text)) == sorted(HOLES.findall(message)), message


PLURALS: set[str] = set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_compiled_catalogue_is_that_of_the_source(language):
    """A clean clone shows every language, without gettext being installed."""
    source = (ROOT / "locale" / language / "LC_MESSAGES" / "django.po").read_text()
    assert "fuzzy" not in source
    assert '\nmsgstr ""\n\n' not in source
    texts = {
        ast.literal_eval(each) for each in re.findall(r'^msgstr(?:\[\d\])? (".+")$', source, re.M)
    }
    compiled = catalogue(language)
    assert {text for key, text in compiled.items() if key} == texts - {""}


@pytest.mark.parametrize(
    ("language", "numbers"),
    [("pl", {1: "1 odpowiedź", 3: "3 odpowiedzi", 12: "12 odpowiedzi"}), ("ar", {3: "3 إجابات"})],
)
def test_numbers_take_the_forms_of_their_language(language, numbers):
    with translation.override(language):
        for number, words in numbers.items():
            text = translation.ngettext(
                "You give %(n)s answer.", "You give up to %(n)s answers.", number
            )
            assert words in text % {"n": number}
        forms = script_texts()["next_offline_kept"]
        assert {"one", "other"} <= set(forms)


@pytest.fixture
def german(make_campaign):
    """A browser that asks for German, at work."""
    campaign = make_campaign(criteria=["visual_appeal"])
    client = Client(headers={"accept-language": "de-AT,de;q=0.9,en;q=0.5"})
    client.post(reverse("annotation:begin", args=[campaign.invitation]), {"consent": "yes"})
    return client, campaign


@pytest.mark.django_db(transaction=True)
class TestWhatIsShown:
    def test_question_is_read_and_stored_in_the_language_of_the_browser(self, german):
        client, campaign = german
        url = reverse("annotation:work", args=[campaign.invitation])
        page = client.get(url)
        assert page.headers["Content-Language"] == "de"
        assert '<html lang="de">' in page.content.decode()
        (shown,) = client.get(f"{url}next/", headers=JSON).json()["sets"]
        assert (shown["language"], shown["question"]) == ("de", "Welches Bild ist ansprechender?")
        fields = {name: shown[name] for name in ("assignment", "idempotency_key", "language")}
        client.post(f"{url}vote/", fields | {"answer": "left", "shown_px": 512}, headers=JSON)
        vote = Vote.objects.get()
        assert (vote.language, vote.shown_px) == ("de", 512)
        (frozen,) = campaign.protocol["criteria"]
        assert frozen["translations"]["de"]["question"] == shown["question"]

    def test_a_later_translation_changes_no_campaign(self, german, monkeypatch):
        client, campaign = german
        monkeypatch.setattr("evalplatform.annotation.presentation.get_language", lambda: "de")
        before = protocol_of(campaign)["criteria"]
        monkeypatch.setattr(translation._trans, "gettext", lambda message: "anders")
        assert protocol_of(campaign)["criteria"] == before
        url = reverse("annotation:next", args=[campaign.invitation])
        (shown,) = client.get(url, headers=JSON).json()["sets"]
        assert shown["question"] == "Welches Bild ist ansprechender?"

    def test_choice_of_a_language_stays_and_leads_back(self, german):
        client, campaign = german
        url = reverse("annotation:work", args=[campaign.invitation])
        answer = client.post(reverse("annotation:language"), {"language": "ar", "next": url})
        assert (answer.status_code, answer["Location"]) == (302, url)
        assert '<html lang="ar" dir="rtl">' in client.get(url).content.decode()
        elsewhere = {"language": "ar", "next": "https://example.org/"}
        assert client.post(reverse("annotation:language"), elsewhere)["Location"] == "/"

    def test_script_asks_in_the_language_of_its_page(self, german):
        client, campaign = german
        client.post(reverse("annotation:language"), {"language": "fr", "next": "/"})
        url = reverse("annotation:next", args=[campaign.invitation])
        (shown,) = client.get(url, headers=JSON | {"accept-language": "ja"}).json()["sets"]
        assert shown["language"] == "ja"

    def test_researchers_pages_stay_english(self):
        page = Client(headers={"accept-language": "de"}).get("/no-such-page")
        assert "This link is not valid" in page.content.decode()
        page = Client(headers={"accept-language": "de"}).get("/annotate/no-such-study/")
        assert "Dieser Link ist ungültig" in page.content.decode()


OWN = CriterionPlan(
    slug="hands", label="Hands", question="Which hands are better?", instructions="Count.",
    shows_prompt=False, translations={
        "de": {"question": "Welche Hände sind besser?", "instructions": "Zählen.", "heads": []},
    },
)  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_researchers_own_words_by_language_and_as_written_elsewhere(make_campaign):
    rules = {
        "annotation": {
            "languages": ["en", "de"], "consent": "I am an adult.",
            "translations": {"de": {"consent": "Ich bin volljährig."}},
        },
        "comprehension": [{
            "name": "tie", "label": "What if equal?", "choices": ["Tie", "Guess"], "right": "Tie",
            "translations": {"de": {"label": "Was bei gleichen?", "choices": ["Gleich", "Raten"]}},
        }],
    }  # fmt: skip
    campaign = make_campaign(criteria=[OWN], rules=rules)
    url = reverse("annotation:work", args=[campaign.invitation])
    client = Client(headers={"accept-language": "de"})
    welcome = client.get(url).content.decode()
    assert "Welche Hände sind besser?" in welcome
    assert "Ich bin volljährig." in welcome
    assert 'value="fr"' not in welcome  # not offered
    client.post(f"{url}begin/", {"consent": "yes"})
    asked = client.get(url).content.decode()
    assert 'value="Tie" required> Gleich' in asked
    client.post(f"{url}comprehension/", {"try": "1", "tie": "Tie"})
    (shown,) = client.get(f"{url}next/", headers=JSON).json()["sets"]
    assert (shown["language"], shown["question"]) == ("de", "Welche Hände sind besser?")
    french = Client(headers={"accept-language": "fr"}).get(url).content.decode()
    assert "Which hands are better?" in french
    assert '<html lang="en">' in french


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"annotation": {"languages": ["tlh"]}}, "do not speak 'tlh'"),
        ({"annotation": {"translations": {"de": {"consent": "Ja."}}}}, "not given in the first"),
        (
            {"questionnaire": [{"name": "q", "label": "?", "choices": ["a", "b"], "translations": {
                "de": {"label": "?", "choices": ["a"]}}}]},
            "1 choices in 'de' for 2",
        ),
    ],
)  # fmt: skip
def test_wrong_languages_are_refused_in_words(rules, message):
    with pytest.raises(BadInputError, match=message):
        parse_rules(rules)


@pytest.fixture
def make_campaign(db):
    from evalplatform.annotation.services import open_campaign

    def make_campaign(**options):
        draft = factories.make_draft(**options)
        open_campaign(campaign=draft)
        return draft

    return make_campaign
