"""Questions about the instructions: two tries, then polite words and the way back."""

import threading

import pytest
from django.db import IntegrityError, connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.services import ensure_simulated_annotator
from evalplatform.annotation.doors.personal_links import personal_path
from evalplatform.annotation.models import Assignment, ComprehensionTry, Enrolment, Exclusion
from evalplatform.annotation.services import enrol, open_campaign, reinstate
from evalplatform.campaigns.rules import parse_rules
from evalplatform.campaigns.services import pause_campaign
from evalplatform.core.errors import BadInputError
from evalplatform.quality.selectors import annotator_measures
from evalplatform.reports.exports import results_json
from evalplatform.reports.results import campaign_results
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
JSON = {"headers": {"accept": "application/json"}}
QUESTIONS = [
    {"name": "tie", "label": "What if both are equal?", "choices": ["Press tie", "Guess"],
     "right": "Press tie", "why": "A guess says nothing."},
    {"name": "prompt", "label": "Does the text count?", "choices": ["Yes", "No", "Sometimes"],
     "right": "No"},
]  # fmt: skip
RULES = {
    "comprehension": QUESTIONS,
    "crowd": {"completed_code": "CDONE", "screened_out_code": "COUT"},
}
RIGHT = {"tie": "Press tie", "prompt": "No"}
WRONG = {"tie": "Guess", "prompt": "No"}


@pytest.fixture
def campaign():
    made = factories.make_draft(rules=RULES, criteria=["visual_appeal"])
    open_campaign(campaign=made)
    return made


@pytest.fixture
def url(campaign):
    return reverse("annotation:work", args=[campaign.invitation])


@pytest.fixture
def client(url):
    client = Client()
    client.get(url, {"PROLIFIC_PID": "p1", "SESSION_ID": "s1"})
    assert "First come 2 questions" in client.get(url).content.decode()
    client.post(url + "begin/")
    return client


def answer(client, url, number, answers):
    return client.post(url + "comprehension/", answers | {"try": str(number)})


def state(client, url):
    return client.get(url + "next/", **JSON).json()


def test_questions_come_before_the_first_item_without_what_is_right(client, url):
    told = state(client, url)
    assert (told["state"], told["sets"]) == ("comprehension", [])
    assert told["comprehension"]["try"] == 1
    assert set(told["comprehension"]["questions"][0]) == {"name", "label", "choices", "was_wrong"}
    page = client.get(url).content.decode()
    assert 'data-comprehension="1"' in page
    assert "What if both are equal?" in page
    assert "A guess says nothing" not in page
    assert not Assignment.objects.exclude(annotator=None).exists()


def test_all_right_at_the_first_try_begins_the_work(client, url):
    assert answer(client, url, 1, RIGHT)["Location"] == url
    assert state(client, url)["state"] == "judge"
    assert Enrolment.objects.get().understood_at
    assert ComprehensionTry.objects.get().wrong == []


def test_first_failure_says_what_was_wrong_and_gives_a_second_try(client, url):
    answer(client, url, 1, WRONG)
    page = client.get(url).content.decode()
    assert 'data-comprehension="2"' in page
    assert "“Guess” was not right." in page
    assert "A guess says nothing." in page
    assert "second and last try" in page
    assert page.count("was not right") == 1
    assert "Press tie" in page  # among the choices, and nowhere said to be right
    answer(client, url, 2, RIGHT)
    assert state(client, url)["state"] == "judge"
    assert [each.number for each in ComprehensionTry.objects.all()] == [1, 2]


def test_second_failure_screens_out_and_leads_back_with_that_code(client, url):
    answer(client, url, 1, WRONG)
    answer(client, url, 2, WRONG)
    told = state(client, url)
    assert told["state"] == "screened_out"
    assert told["exit"]["url"].endswith("?cc=COUT")
    page = client.get(url).content.decode()
    assert "Thank you for your interest" in page
    exclusion = Exclusion.objects.get()
    assert exclusion.rule == "comprehension"
    assert exclusion.detail == "1 of 2 answers right at try 2, all needed"
    answer(client, url, 3, RIGHT)
    assert state(client, url)["state"] == "screened_out"


def test_try_sent_twice_counts_once(client, url):
    for _ in range(2):
        answer(client, url, 1, WRONG)
    assert ComprehensionTry.objects.count() == 1
    assert state(client, url)["comprehension"]["try"] == 2


def test_try_sent_at_once_from_many_tabs_counts_once(client, url):
    def post():
        tab = Client()
        tab.cookies = client.cookies
        answer(tab, url, 1, WRONG)
        connection.close()

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ComprehensionTry.objects.count() == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [({"tie": "Guess"}, "please answer “Does the text count?”"),
     (WRONG | {"tie": "Other"}, "choose one of Press tie, Guess")],
)  # fmt: skip
def test_answer_that_is_none_is_no_try(client, url, given, words):
    response = answer(client, url, 1, given)
    assert response.status_code == 400
    assert words in response.content.decode()
    assert not ComprehensionTry.objects.exists()


@pytest.mark.parametrize("number", ["", "0", "2", "3", "x", "9" * 5000])
def test_try_of_another_number_changes_nothing(client, url, number):
    answer(client, url, number, RIGHT)
    assert not ComprehensionTry.objects.exists()


def test_same_person_in_another_browser_has_no_further_tries(client, url):
    answer(client, url, 1, WRONG)
    other = Client()
    other.get(personal_path(Enrolment.objects.get()))
    assert state(other, url)["comprehension"]["try"] == 2


def test_who_is_reinstated_goes_on_without_the_questions(client, url):
    answer(client, url, 1, WRONG)
    answer(client, url, 2, WRONG)
    reinstate(exclusion=Exclusion.objects.get(), now=timezone.now())
    assert state(client, url)["state"] == "judge"


def test_paused_study_says_so_before_the_questions(client, url, campaign):
    pause_campaign(campaign=campaign)
    assert state(client, url)["state"] == "paused"
    assert answer(client, url, 1, {}).status_code == 400


def test_simulated_annotator_is_asked_nothing(campaign):
    robot = ensure_simulated_annotator(pseudonym="robot", behaviour={"kind": "random"})
    assert factories.lease(enrol(campaign=campaign, annotator=robot))


def test_stranger_is_asked_nothing(url):
    assert answer(Client(), url, 1, RIGHT).status_code == 404


def test_campaign_without_questions_takes_no_try(ana):
    campaign = factories.make_draft()
    open_campaign(campaign=campaign)
    enrol(campaign=campaign, annotator=ana)
    client = Client()
    url = reverse("annotation:work", args=[campaign.invitation])
    client.get(url, {"key": ana.access_key})
    answer(client, url, 1, RIGHT)
    assert not ComprehensionTry.objects.exists()
    assert state(client, url)["state"] == "judge"


def test_results_say_how_many_tries_somebody_needed(client, url, campaign):
    answer(client, url, 1, WRONG)
    answer(client, url, 2, RIGHT)
    state(client, url)
    told = annotator_measures(campaign)
    assert [each.comprehension_tries for each in told] == [2]
    exported = results_json(campaign_results(campaign))["data_quality"]["annotators"]
    assert exported[0]["comprehension_tries"] == 2


def test_database_takes_no_third_try(campaign, ana):
    mine = enrol(campaign=campaign, annotator=ana)
    with pytest.raises(IntegrityError, match="comprehension_tries_are_bounded"):
        ComprehensionTry.objects.create(
            enrolment=mine, number=3, answers={}, wrong=[], answered_at=timezone.now()
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"right": "Perhaps"}, "right is none of the choices"),
        ({"choices": ["Yes"], "right": "Yes"}, "at least two choices"),
        ({"choices": ["No", "No"], "right": "No"}, "each of them once"),
        ({"name": "tie"}, "same name"),
    ],
)
def test_question_that_cannot_be_passed_is_refused(change, words):
    with pytest.raises(BadInputError, match=words):
        parse_rules({"comprehension": [QUESTIONS[0], QUESTIONS[1] | change]})
