"""Planning before money is spent: the command and the page say what the statistics say."""

import re

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from evalplatform import stats
from evalplatform.accounts.models import Annotator
from evalplatform.annotation.answer_columns import vote_columns
from evalplatform.reports.planning import pilot_components
from evalplatform.reports.stats_votes import pair_votes
from evalplatform.reports.table import WIDTH
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pilot(campaign):
    """Six people who differ, on four prompts and two criteria."""
    annotators = [Annotator.objects.create() for _ in range(6)]
    rng = np.random.default_rng(3)
    lean = {each.pk: rng.random() for each in annotators}

    def choose(assignment):
        prefers_a = rng.random() < 0.3 + 0.5 * lean[assignment.annotator_id]
        return factories.pick(assignment, 0 if prefers_a else 1)

    factories.judge_everything(campaign, annotators, choose)
    return campaign


def command(capsys, *options):
    call_command("plan_campaign", *options)
    return capsys.readouterr().out


def refused(*options):
    with pytest.raises(CommandError) as raised:
        call_command("plan_campaign", *options)
    return str(raised.value)


def test_command_says_the_plan_and_its_floor(capsys):
    text = command(capsys, "--effect", "0.1", "--votes-per-annotator", "50", "--price", "0.1")
    expected = stats.plan_study(
        stats.stated_components(tie=0.2, prompt_share=0.1, annotator_share=0.05),
        0.1,
        votes_per_annotator=50,
    )
    words = " ".join(text.split())
    assert f"{expected.prompts} prompts, each judged by 5 of {expected.annotators} ann" in words
    assert f"nothing below {100 * expected.floor:.1f} % can be found" in words
    assert f"At 0.1 a vote: {0.1 * expected.votes:.2f}" in words
    assert "10 % between prompts, 5 % between annotators" in words
    assert max(len(line) for line in text.splitlines()) <= WIDTH


def test_command_estimates_from_the_pilots_votes_of_the_criterion(capsys, pilot):
    table = vote_columns(pilot)
    criterion = pilot.criteria.get(slug="text_faithfulness")
    votes = pair_votes(table.where(table.criterion == criterion.pk))
    components = pilot_components(pilot, "text_faithfulness")
    assert components == stats.variance_components(votes)
    assert components != pilot_components(pilot, "visual_appeal")
    text = command(
        capsys, "--effect", "0.3", "--prompts", "200", "--pilot", pilot.slug,
        "--criterion", "text_faithfulness",
    )  # fmt: skip
    assert f"Variance of a vote: {components.total:.2f}" in text


def test_power_is_said_as_it_was_asked(capsys):
    text = command(capsys, "--effect", "0.4", "--annotators", "40", "--power", "0.999")
    assert "is then found in 99.9 of 100 such studies." in " ".join(text.split())


def test_annotators_without_a_vote_are_not_counted(capsys):
    words = " ".join(command(capsys, "--effect", "0.1", "--annotators", "100000").split())
    assert "178 prompts, each judged by 5 of 890 annotators: 890 votes" in words
    assert "1 from each annotator" in words
    rows = re.findall(r"^ *([\d,]+) +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+$", command(
        capsys, "--effect", "0.1", "--annotators", "100000"
    ), re.MULTILINE)  # fmt: skip
    assert rows == ["445", "890", "1,780", "3,560"]


def test_effect_out_of_reach_is_said_with_the_floor(capsys):
    text = command(capsys, "--effect", "0.02", "--annotators", "10")
    assert re.search(r"out of\s+reach", text)
    assert "floor is" in " ".join(text.split())


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--effect", "0", "--annotators", "9"], "effect is 0.0"),
        (["--effect", "10", "--annotators", "9"], "effect is 10.0"),
        (["--effect", "0.1", "--annotators", "3"], "annotators are too few"),
        (
            ["--effect", "0.2", "--annotators", "20", "--price", "nan"],
            "a vote's price is nan; give",
        ),
        (["--effect", "0.1", "--annotators", "20", "--price=-1"], "a vote's price is -1; give 0"),
        (["--effect", "0.1", "--annotators", "9", "--ties", "2"], "ties 2.0"),
        (["--effect", "0.1", "--annotators", "9", "--ties", "1"], "all votes are ties there is no"),
        (["--effect", "0.1", "--annotators", "9", "--power", "1"], "power is 1.0"),
        (["--effect", "0.1", "--annotators", "9", "--pilot", "none"], "no campaign 'none'"),
        (["--effect", "0.1"], "--annotators --prompts --votes-per-annotator"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(options, problem):
    assert problem in refused(*options)


def test_campaign_that_cannot_be_a_pilot_says_why(campaign):
    options = ["--effect", "0.1", "--annotators", "9", "--pilot", campaign.slug]
    assert "no votes on 'visual_appeal'" in refused(*options)
    ana = Annotator.objects.create()
    factories.judge_everything(campaign, [ana], lambda assignment: "left")
    assert "one annotator" in refused(*options)
    assert "would be estimated" in refused(*options, "--ties", "0.1")


def test_page_is_for_signed_in_people_and_starts_without_an_answer(client, rania):
    url = reverse("plan_campaign")
    assert client.get(url).status_code == 302
    client.force_login(rania)
    page = client.get(url).content.decode()
    assert "The answer" not in page
    assert 'href="/plan/"' in client.get(reverse("reports:campaign_list")).content.decode()


FILLED = {
    "effect": "10", "power": "80", "bound": "votes_per_annotator", "number": "50",
    "votes_per_prompt": "5", "price": "0.1", "pilot": "", "criterion": "visual_appeal",
    "ties": "20", "prompt_share": "10", "annotator_share": "5",
}  # fmt: skip


def test_page_says_what_the_command_says(client, rania, capsys):
    text = command(capsys, "--effect", "0.1", "--votes-per-annotator", "50", "--price", "0.1")
    client.force_login(rania)
    context = client.get(reverse("plan_campaign"), FILLED).context
    words = " ".join(text.split())
    for sentence in context["found"].sentences:
        assert sentence in words
    for annotators, cells in context["table"]:
        assert re.search(rf"{annotators:,} +" + " +".join(map(re.escape, cells)), text)


def test_page_writes_large_numbers_as_its_sentences_do(client, rania):
    client.force_login(rania)
    page = client.get(reverse("plan_campaign"), FILLED | {"effect": "6", "price": "1e6"})
    text = page.content.decode()
    for words in ("<dd>1,361</dd>", "<dd>6,805</dd>", "<dd>6,805,000,000.00</dd>"):
        assert words in text
    assert "2,722 prompts</th>" in text
    assert "At 1,000,000 a vote: 6,805,000,000.00 for each criterion." in text


def test_address_that_leaves_questions_out_takes_their_defaults(client, rania):
    client.force_login(rania)
    response = client.get(reverse("plan_campaign"), {"effect": "12"})
    question = response.context["found"].question
    assert (question.effect, question.number, question.votes_per_prompt) == (0.12, 50, 5)
    wrong = client.get(reverse("plan_campaign"), {"effect": "much"})
    assert "Enter a number" in wrong.content.decode()
    for name in ("power", "number", "votes_per_prompt", "ties", "annotator_share"):
        assert wrong.context["form"][name].value(), name


def test_page_takes_a_pilot(client, rania, pilot):
    client.force_login(rania)
    context = client.get(reverse("plan_campaign"), FILLED | {"pilot": pilot.slug}).context
    expected = pilot_components(pilot, "visual_appeal")
    assert context["found"].question.components == expected


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"effect": "0"}, "Give more than 0 %"),
        ({"power": "5"}, "Give more than 5 %, such as 80"),
        ({"ties": "100"}, "Give less than 100 %"),
        ({"bound": "annotators", "number": "2"}, "too few"),
        ({"prompt_share": "80", "annotator_share": "40"}, "at most 100 % together"),
        ({"number": ""}, "This field is required"),
        ({"pilot": "nothing"}, "Select a valid choice"),
    ],
)
def test_page_says_what_is_wrong_and_keeps_the_form(client, rania, changed, problem):
    client.force_login(rania)
    response = client.get(reverse("plan_campaign"), FILLED | changed)
    assert response.status_code == 200
    page = response.content.decode()
    assert problem in page
    assert "found" not in response.context
    assert 'value="0.1"' in page
