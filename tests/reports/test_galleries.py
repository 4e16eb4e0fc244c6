"""More than two arms, rankings and single images: orders in table, JSON, CSV and dashboard."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from django.core.management import call_command
from django.utils import timezone

from evalplatform import stats
from evalplatform.accounts.models import Annotator
from evalplatform.annotation.answer_columns import vote_columns
from evalplatform.annotation.models import Enrolment, Vote
from evalplatform.annotation.services import enrol, exclude, open_campaign
from evalplatform.campaigns.criteria import CriterionPlan
from evalplatform.reports.answers import answers
from evalplatform.reports.csv_files import GROUP_COLUMNS, groups_csv
from evalplatform.reports.dashboard import dashboard_context, offline_dashboard
from evalplatform.reports.effect import effect_of
from evalplatform.reports.exports import results_json
from evalplatform.reports.figures import all_figures
from evalplatform.reports.gallery import Gallery, GalleryResult
from evalplatform.reports.order_figures import strengths
from evalplatform.reports.orders import claimed_by_group, lead_in_words, order_said
from evalplatform.reports.other_votes import of_orders
from evalplatform.reports.prompts import Prompts
from evalplatform.reports.results import campaign_results
from evalplatform.reports.stats_votes import pseudonyms
from evalplatform.reports.table import WIDTH, results_table
from tests import factories
from tests.stats.graded_studies import comparisons

pytestmark = pytest.mark.django_db(transaction=True)
STRENGTHS = (2.0, 1.0, 0.9, -1.5)  # of the arms A to D


def liking(rng, strengths=STRENGTHS):
    """Answer as somebody to whom each image looks about as strong as its arm is."""

    def choose(slot):
        arms = {image.place: image.arm.place for image in slot.item.image_set.images.all()}
        looks = [strengths[arms[place]] + rng.normal() for place in slot.order]
        form = slot.item.criterion.form
        if form == "rating":
            return str(int(np.clip(round(3 + looks[0]), 1, 5)))
        if form == "keep_reject":
            return "keep" if looks[0] > 1 else "unsure" if looks[0] > 0 else "reject"
        if form == "approve":
            return "approve" if looks[0] > 0 else "reject"
        if form == "caption":
            return f"thing {slot.pk} on white"
        if form == "ranking":
            return ">".join(str(at) for at in np.argsort(looks)[::-1])
        if abs(looks[0] - looks[1]) < 0.3:
            return "tie"
        return "left" if looks[0] > looks[1] else "right"

    return choose


def voted(form, *, prompts=8, k=3, people=5, seed=1, strengths=STRENGTHS, **options):
    """Return a campaign with all its votes, by `people` or so many that are made."""
    asked = "visual_appeal"
    if form in ("approve", "caption"):  # asked in curation, in no criterion that is shipped
        asked = CriterionPlan("text", "Text", "Text?", "", shows_prompt=True, form=form, k=k)
    options = {"criteria": [asked]} | options
    campaign = factories.make_draft(arms=len(strengths), form=form, prompts=prompts, k=k, **options)
    open_campaign(campaign=campaign)
    annotators = people
    if isinstance(people, int):
        annotators = [Annotator.objects.create() for _ in range(people)]
    choose = liking(np.random.default_rng(seed), strengths)
    factories.judge_everything(campaign, annotators, choose)
    return campaign


@pytest.fixture
def pairs(db):
    """Four arms, each two of them on every prompt."""
    return voted("pair", design="all-pairs")


def words(text):
    return " ".join(text.split())


def rows_of(results):
    return list(csv.DictReader(io.StringIO(groups_csv(results))))


def test_votes_become_grades_of_the_arms_that_stood_there(pairs):
    votes = vote_columns(pairs)
    graded = Gallery(pairs, Prompts(pairs), pseudonyms(pairs)).graded(votes)
    assert graded.arms == ("A", "B", "C", "D")
    for index, vote in enumerate(Vote.objects.order_by("pk")):
        held = slice(graded.start[index], graded.start[index + 1])
        images = vote.assignment.item.image_set.images.select_related("arm").order_by("place")
        assert graded.arm[held].tolist() == [image.arm.place for image in images]
        assert graded.grade[held].tolist() == vote.grades
        assert graded.annotators[graded.annotator[index]] == vote.annotator.pseudonym


def test_order_pairs_and_tiers_are_in_every_report(pairs):
    results = campaign_results(pairs)
    (whole, *parts) = results.galleries
    assert results.groups == []
    assert [each.depth for each in parts] == [1]
    ranking = whole.ranking
    assert [each.arm for each in ranking.standings] == ["A", "B", "C", "D"]
    assert (ranking.n_votes, len(ranking.pairs)) == (8 * 6 * 3, 6)
    (answer,) = answers(results)
    first = [each.arm for each in ranking.standings if each.rank_low == 1]
    assert answer.leader == (first[0] if len(first) == 1 else "")
    assert ("prefer A to all others" in answer.sentence) == (first == ["A"])
    table, page = results_table(results), offline_dashboard(results)
    for text in (table, page):
        assert answer.sentence in words(text)
        assert "Without any single annotator" in words(text) or "Without " in words(text)
    assert max(len(line) for line in table.splitlines()) <= WIDTH
    content = json.loads(json.dumps(results_json(results), allow_nan=False))
    assert content["galleries"][0]["ranking"]["standings"][0]["arm"] == "A"
    assert [each["arm"] for each in content["arms"]] == ["A", "B", "C", "D"]


def test_pair_of_a_gallery_has_the_shares_of_its_votes_alone(pairs):
    ranking = campaign_results(pairs).galleries[0].ranking
    for pair in ranking.pairs:
        counted = [0, 0, 0]
        for vote in Vote.objects.all():
            arms = [image.arm.letter for image in vote.assignment.item.image_set.images.all()]
            if set(arms) == {pair.arm, pair.other}:
                lead = vote.grades[arms.index(pair.arm)] - vote.grades[arms.index(pair.other)]
                counted[1 - lead] += 1
        tally = pair.rates.tally
        assert [tally.win, tally.tie, tally.lose] == counted


def test_groups_csv_names_the_arms_of_every_estimate(pairs):
    results = campaign_results(pairs)
    rows = rows_of(results)
    assert list(rows[0]) == GROUP_COLUMNS
    names = [arm.name for arm in pairs.contenders]
    first = results.galleries[0]
    mine = [row for row in rows if row["name"] == first.prompts]
    strengths = {row["arm"]: float(row["value"]) for row in mine if row["measure"] == "strength"}
    assert strengths == {
        names["ABCD".index(each.arm)]: each.value for each in first.ranking.standings
    }
    nets = [row for row in mine if row["measure"] == "net"]
    assert [(row["arm"], row["other"]) for row in nets] == [
        (names[i], names[j]) for i in range(4) for j in range(i + 1, 4)
    ]
    assert {row["tests_in_family"] for row in nets} == {"6"}


def test_figure_and_matrix_show_letters_and_never_names(pairs):
    results = campaign_results(pairs)
    figures = all_figures(results)
    assert list(figures) == ["figure-order-visual_appeal"]
    assert "tuned" not in json.dumps(figures)
    (shown,) = dashboard_context(results)["galleries"]
    matrix = shown["matrix"]
    for i, row in enumerate(matrix["rows"]):
        for j, cell in enumerate(row["cells"]):
            other = matrix["rows"][j]["cells"][i]
            assert cell["is_self"] == (i == j)
            if i != j:
                assert int(cell["text"]) == -int(other["text"])


@pytest.mark.parametrize("net", [0.004, -0.004])
def test_a_net_that_rounds_to_nothing_has_no_sign_in_the_matrix(pairs, net):
    results = campaign_results(pairs)
    whole, *parts = results.galleries
    first, *others = whole.ranking.pairs
    even = replace(first, rates=replace(first.rates, net=replace(first.rates.net, value=net)))
    ranking = replace(whole.ranking, pairs=(even, *others))
    results = replace(results, galleries=[replace(whole, ranking=ranking), *parts])
    matrix = dashboard_context(results)["galleries"][0]["matrix"]
    cells = {
        (row["arm"], column): cell["text"]
        for row in matrix["rows"]
        for column, cell in zip(matrix["arms"], row["cells"], strict=True)
    }
    assert cells[first.arm, first.other] == cells[first.other, first.arm] == "0"


def test_an_interval_far_wider_than_most_leaves_the_picture_and_says_so(pairs):
    found = campaign_results(pairs).galleries[0]
    plain = strengths(found, "")
    *others, last = found.ranking.standings
    wide = replace(last, low=last.value - 9.0, high=last.value + 9.0)
    ranking = replace(found.ranking, standings=(*others, wide))
    figure = strengths(replace(found, ranking=ranking), "")
    assert not any("wider" in each["text"] for each in plain["layout"]["annotations"])
    said = [each["text"] for each in figure["layout"]["annotations"] if "wider" in each["text"]]
    assert len(said) == 1
    assert said[0].startswith(f"<b>{last.arm}</b> · rank")
    assert said[0].endswith(" · wider than shown")
    low, high = figure["layout"]["xaxis"]["range"]
    assert high < 9.0
    assert all(low < each.low < each.high < high for each in others)
    assert low < last.value < high
    drawn = figure["layout"]["shapes"][len(others) + 1]
    assert (drawn["x0"], drawn["x1"]) == (wide.low, wide.high)  # the page cuts it off


def test_ranking_votes_are_pairs_inside_one_vote(db):
    results = campaign_results(voted("ranking", design="together"))
    ranking = results.galleries[0].ranking
    assert (ranking.n_votes, ranking.n_comparisons) == (24, 24 * 6)
    assert ranking.images_per_vote == {4: 24}
    assert [each.arm for each in ranking.standings][-1] == "D"
    assert "24 votes with 144 comparisons of two arms" in words(results_table(results))


GRADES = [
    ("rating", ["1", "2", "3", "4", "5"]),
    ("keep_reject", ["reject", "unsure", "keep"]),
    ("approve", ["reject", "approve"]),
]


@pytest.mark.parametrize(("form", "names"), GRADES)
def test_single_images_have_means_and_the_share_of_each_grade(form, names):
    campaign = voted(form, k=2, people=4)
    results = campaign_results(campaign)
    (found, *_) = results.gradings
    assert found.ratings.ratings[0].arm == "A"
    stored = Vote.objects.filter(assignment__item__image_set__images__arm__place=0)
    grades = [vote.grades[0] for vote in stored]
    assert found.ratings.rating("A").mean.value == pytest.approx(np.mean(grades))
    assert found.as_pairs.n_votes > 0
    assert f"figure-grades-{found.criterion}" in all_figures(results)
    (shown,) = dashboard_context(results)["gradings"]
    assert shown["names"] == names
    assert [part.name for part in shown["bars"][0][1]] == names
    json.dumps(results_json(results), allow_nan=False)
    measures = {row["measure"] for row in rows_of(results)}
    shares = {f"share_of_grade_{grade}" for grade in found.ratings.rating("A").shares}
    assert len(shares) == len(names)
    assert {"mean_grade", "rank", "mean_difference"} | shares <= measures
    assert "grades of 32 images" in words(results_table(results))
    offline_dashboard(results)


def test_of_one_arm_its_mean_grade_is_told_and_no_order(db):
    results = campaign_results(voted("keep_reject", strengths=(1.0,)))
    (answer,) = answers(results)
    mean = results.gradings[0].ratings.rating("A").mean
    assert answer.leader == ""
    told = f"{mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}]"
    assert answer.sentence == f"People give A a mean grade of {told}."


@pytest.mark.parametrize("people", [5, 1])
def test_texts_are_counted_and_grade_nothing(people):
    campaign = voted("caption", k=1, people=people)
    results = campaign_results(campaign)
    assert results.n_votes == 32
    assert results.gradings == results.galleries == []
    table = results_table(results)
    for text in (table, offline_dashboard(results)):
        assert "Annotators write texts here, which grade nothing." in words(text)
        assert "No votes yet" not in text
    assert "32 of 32 votes on 32 items" in words(table)
    json.dumps(results_json(results), allow_nan=False)
    assert not all_figures(results)
    assert effect_of(campaign.enrolments.first()) == []


def test_arm_that_won_everything_is_marked_and_the_others_stay_ranked(db):
    campaign = voted("pair", strengths=(50.0, 0.3, 0.0), prompts=6)
    results = campaign_results(campaign)
    first, *others = results.galleries[0].ranking.standings
    assert (first.arm, first.value, first.unbounded) == ("A", None, "won every comparison")
    assert all(each.value is not None for each in others)
    (answer,) = answers(results)
    assert answer.leader == "A" or answer.sentence.endswith(", though A won every comparison.")
    said = "A won every comparison: it has a rank but no strength"
    assert said in words(results_table(results))
    assert said in words(offline_dashboard(results))


def test_unfinished_gallery_claims_nothing(db):
    campaign = factories.make_draft(arms=3, prompts=6, k=3, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    choose = liking(np.random.default_rng(2), (3.0, 0.0, -3.0))
    people = [Annotator.objects.create() for _ in range(2)]
    factories.judge_everything(campaign, people, choose)
    (answer,) = answers(campaign_results(campaign))
    assert answer.leader == ""
    assert answer.sentence.startswith("Not decided yet: voting is not finished; so far people ")


@pytest.mark.parametrize("form", ["ranking", "rating"])
def test_answer_of_a_gallery_says_when_nobody_who_voted_is_a_person(db, form):
    Annotator.objects.bulk_create(
        Annotator(
            pseudonym=f"sim-{index}", simulated_behaviour={"says": "robots"}, is_simulated=True
        )
        for index in range(5)
    )
    options = {"design": "together"} if form == "ranking" else {}
    campaign = voted(form, people=list(Annotator.objects.all()), **options)
    (answer,) = answers(campaign_results(campaign))
    assert "Simulated annotators" in answer.sentence
    assert "some of them" not in answer.sentence


def test_gallery_without_votes_and_with_one_annotator_is_reported(db):
    campaign = factories.make_draft(arms=3, prompts=3, k=1, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    assert "No votes yet" in offline_dashboard(campaign_results(campaign))
    choose = liking(np.random.default_rng(3), (1.0, 0.5, 0.0))
    factories.judge_everything(campaign, [Annotator.objects.create()], choose)
    results = campaign_results(campaign)
    (answer,) = answers(results)
    assert (answer.leader, "People give no order yet: " in answer.sentence) == ("", True)
    offline_dashboard(results)
    results_table(results)


def test_command_prints_and_compare_refuses_a_gallery(pairs, capsys):
    from django.core.management import CommandError

    call_command("report", pairs.slug)
    assert "A – B" in capsys.readouterr().out
    other = factories.make_draft(prompts=2, slug="other", criteria=["visual_appeal"])
    with pytest.raises(CommandError, match="has 4 arms"):
        call_command("compare_campaigns", pairs.slug, other.slug)


def test_two_arms_of_a_gallery_have_the_figures_of_a_duel(db):
    """What is said of two arms does not hang on whether a third one is there."""
    results = campaign_results(voted("pair", strengths=(0.5, 0.0)))
    duel = results.groups[0].rates
    campaign = results.campaign
    graded = Gallery(campaign, Prompts(campaign), pseudonyms(campaign)).graded(
        vote_columns(campaign)
    )
    (pair,) = stats.rank_arms(graded).pairs
    for measure in ("win", "tie", "lose", "net"):
        one, other = getattr(duel, measure), getattr(pair.rates, measure)
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


# ---- as a pair's results ------------------------------------------------------------------------


def test_unfinished_gallery_says_what_may_be_said_of_two_arms_at_every_look(db):
    campaign = factories.make_draft(arms=3, prompts=36, k=1, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    choose = liking(np.random.default_rng(2), (9.0, 0.0, -0.1))
    people = [Annotator.objects.create() for _ in range(15)]
    for person in people:
        enrolment = enrol(campaign=campaign, annotator=person)
        for _ in range(7):
            slot = factories.lease(enrolment)
            factories.vote(enrolment, slot, choose(slot))
    results = campaign_results(campaign)
    found = results.galleries[0]
    looks = {(each.arm, each.other): each.look for each in found.early}
    assert list(looks) == [("A", "B"), ("A", "C"), ("B", "C")]
    assert all(each.sequence.level == pytest.approx(1 - 0.05 / 3) for each in looks.values())
    assert [each.is_claim for each in looks.values()] == [True, True, False]
    (answer,) = answers(results)
    assert answer.leader == ""
    assert answer.sentence.endswith("What may be said already: A over B and A over C.")
    assert "A – B: net +100.0 [" in words(results_table(results))
    assert "no preference shown yet" in words(results_table(results))
    assert "bounds for every look" in words(offline_dashboard(results))
    assert "over" not in claimed_by_group(found)[0]  # its p is of one look
    assert claimed_by_group(replace(found, is_open=False)) != claimed_by_group(found)
    told, *_ = json.loads(json.dumps(results_json(results), allow_nan=False))["galleries"]
    assert [each["claim"] for each in told["early_looks"]] == [True, True, False]
    early = [row for row in rows_of(results) if row["measure"] == "early_net"]
    assert len(early) == 3
    assert float(early[0]["low"]) == looks["A", "B"].sequence.low


def test_unfinished_ratings_say_what_may_be_said_of_two_arms_at_every_look(db):
    campaign = factories.make_draft(
        arms=2, form="rating", prompts=40, k=1, criteria=["visual_appeal"]
    )
    open_campaign(campaign=campaign)
    choose = liking(np.random.default_rng(2), (1.8, -1.0))
    for _ in range(12):
        enrolment = enrol(campaign=campaign, annotator=Annotator.objects.create())
        for _ in range(6):
            slot = factories.lease(enrolment)
            factories.vote(enrolment, slot, choose(slot))
    results = campaign_results(campaign)
    (answer,) = answers(results)
    assert answer.leader == ""
    assert answer.sentence.endswith("What may be said already: A over B.")
    (look,) = [each.look for each in results.gradings[0].early]
    sequence = look.sequence
    assert (look.is_claim, sequence.low > 0) == (True, True)
    bounds = f"{sequence.value:+.2f} [{sequence.low:+.2f}, {sequence.high:+.2f}]"
    said = f"A – B: mean grade less mean grade {bounds} on {sequence.n_prompts} complete prompts"
    assert f"{said}; A preferred." in words(results_table(results))
    page = words(offline_dashboard(results))
    assert "First less second, bounds for every look" in page
    assert "promise too much when they are read again and again" in page
    (told,) = [
        each["early_looks"] for each in results_json(results)["gradings"] if not each["depth"]
    ]
    assert [(each["arm"], each["other"], each["claim"]) for each in told] == [("A", "B", True)]
    (row,) = [each for each in rows_of(results) if each["measure"] == "early_mean_difference"]
    assert float(row["low"]) == sequence.low


def test_finished_ratings_have_no_early_looks(db):
    results = campaign_results(voted("rating", prompts=3, k=2, people=2, strengths=(1.0, 0.0)))
    assert [each.early for each in results.gradings] == [()] * len(results.gradings)
    assert "Before the end" not in offline_dashboard(results)


def test_prompt_is_complete_for_two_arms_once_all_sets_that_they_were_dealt_on_it_are(db):
    """Two images a prompt, two arms dealt for each: some meet on both, others on one of them."""
    campaign = factories.make_draft(
        arms=3, prompts=16, k=1, criteria=["visual_appeal"], design="random=1", images_per_prompt=2
    )
    open_campaign(campaign=campaign)
    choose = liking(np.random.default_rng(2), (2.0, 0.0, -1.0))
    enrolment = enrol(campaign=campaign, annotator=Annotator.objects.create())
    for _ in range(20):
        slot = factories.lease(enrolment)
        factories.vote(enrolment, slot, choose(slot))
    slots = {}  # by arms and prompt: whether each set has its vote
    for item in campaign.items.all():
        arms = "".join(sorted(each.arm.letter for each in item.image_set.images.all()))
        judged = item.assignments.filter(completed_at__isnull=False).exists()
        slots.setdefault((arms, item.image_set.prompt_id), []).append(judged)
    assert {len(each) for each in slots.values()} == {1, 2}
    assert any(len(set(each)) == 2 for each in slots.values())
    for each in campaign_results(campaign).galleries[0].early:
        done = [all(slots[key]) for key in slots if key[0] == f"{each.arm}{each.other}"]
        assert each.look.sequence.n_prompts == sum(done) > 0


def test_two_arms_of_a_gallery_are_tested_in_groups_of_prompts_as_one_family(pairs):
    results = campaign_results(pairs)
    found = results.galleries[0]
    tests = found.by_group
    # 6 pairs of arms in two categories and one challenge; 4 prompts of a category are too few.
    assert len(tests) == 18
    assert {each.test.reason for each in tests if each.test.kind == "category"} == {
        "4 prompts; a claim needs 5 or more"
    }
    tested = [each.test for each in tests if each.test.p_holm is not None]
    assert {each.n_tests for each in tested} == {len(tested)} == {6}
    basic = {(each.arm, each.other): each.test for each in tests if each.test.name == "Basic"}
    for pair in found.ranking.pairs:  # the challenge holds all prompts
        assert basic[pair.arm, pair.other].rates == pair.rates
        assert basic[pair.arm, pair.other].p_holm == pytest.approx(pair.net_p_holm)
    table = words(results_table(results))
    assert "By category and challenge. Exploratory, 6 tests of two arms: " in table
    assert "4 prompts; a claim needs 5 or more" in offline_dashboard(results)
    told, *_ = results_json(results)["galleries"]
    assert len(told["exploratory"]) == 18
    rows = [row for row in rows_of(results) if row["by"] == "challenge" and row["measure"] == "net"]
    assert {row["tests_in_family"] for row in rows} == {"6"}


def test_ratings_are_tested_in_groups_of_prompts_as_comparisons(db):
    results = campaign_results(voted("rating", prompts=5))
    found = results.gradings[0]
    basic = {(each.arm, each.other): each.test for each in found.by_group
             if each.test.name == "Basic"}  # fmt: skip
    for pair in found.as_pairs.pairs:
        assert basic[pair.arm, pair.other].rates.tally == pair.rates.tally
    assert "By category and challenge" in words(offline_dashboard(results))


@pytest.mark.parametrize(("form", "measure"), [("pair", "strength"), ("rating", "mean grade")])
def test_order_stands_beside_the_one_with_excluded_votes(db, form, measure):
    campaign = voted(form, prompts=6, k=3, people=4)
    before = campaign_results(campaign)
    contrary = Enrolment.objects.order_by("pk").last()
    exclude(enrolment=contrary, rule="gold", detail="1 of 6", now=timezone.now())
    results = campaign_results(campaign)
    found = {each.arm: each for each in results.with_excluded}
    assert [each.measure for each in results.with_excluded] == [measure] * 4
    whole = {each.arm: each for each in of_orders((before.galleries or before.gradings)[0], None)}
    now = {each.arm: each for each in of_orders((results.galleries or results.gradings)[0], None)}
    for arm, each in found.items():
        assert each.other == whole[arm].as_reported
        assert each.as_reported == now[arm].as_reported != each.other
        assert each.votes == before.n_votes - results.n_votes > 0
    assert f"{measure} of A" in words(results_table(results))
    assert f"{measure} of A" in offline_dashboard(results)
    rows = [row for row in rows_of(results) if row["measure"].endswith("_with_excluded")]
    assert [float(row["value"]) for row in rows] == [each.other.value for each in found.values()]
    told = results_json(results)["with_excluded_votes"]
    assert [each["with"]["value"] for each in told] == [each.other.value for each in found.values()]


def test_order_of_which_every_vote_was_excluded_stands_there_all_the_same(db):
    campaign = voted("pair", prompts=4, k=1, people=1)
    exclude(enrolment=Enrolment.objects.get(), rule="gold", detail="1 of 6", now=timezone.now())
    results = campaign_results(campaign)
    assert results.galleries == []
    assert [each.as_reported for each in results.with_excluded] == [None] * 4
    assert "strength of A" in words(results_table(results))


# ---- the answer in words ------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["pair", "rating"])
def test_answer_says_how_far_the_leader_is_ahead_of_the_closest(form):
    options = {"prompts": 10, "k": 4, "people": 6, "strengths": (2.5, 0.5, -0.5)}
    results = campaign_results(voted(form, **options))
    (answer,) = answers(results)
    found = (results.galleries or results.gradings)[0]
    leads = (found.ranking if form == "pair" else found.ratings).leads
    closest = min(leads, key=lambda each: each.low)
    assert (answer.leader, closest.low > 0) == ("A", True)
    unit = "strength" if form == "pair" else "mean grade"
    bounds = f"{closest.value:.2f} [{closest.low:.2f}, {closest.high:.2f}]"
    said = f"A is ahead of {closest.other}, the closest, by {bounds} in {unit}."
    assert answer.sentence.endswith(said)
    assert said in words(results_table(results))
    assert said in words(offline_dashboard(results))
    first, *others = (row for row in rows_of(results) if row["measure"] in ("answer", "lead"))
    assert (first["arm"], first["reason"]) == (results.campaign.contenders[0].name, answer.sentence)
    assert [float(row["low"]) for row in others[: len(leads)]] == [each.low for each in leads]
    assert {row["value"] for row in rows_of(results) if row["measure"] == "tier"} >= {"1", "2"}


def test_answer_says_of_whom_the_first_is_not_told_apart_because_they_lost_everything():
    """A is ahead of B and C beyond chance; H lost three votes to C, too few to rank it."""
    cycle = [("A", "B", 36, 4), ("B", "C", 24, 16), ("A", "C", 37, 3)]
    rows = [(a, b, "".join(np.random.default_rng(3).permutation([*"W" * won, *"L" * lost])), 0, 0)
            for a, b, won, lost in cycle]  # fmt: skip
    ranking = stats.rank_arms(comparisons(*rows, ("H", "C", "LLL", 0, 0)))
    assert ranking.standing("H").rank_low == 1
    assert all(each.is_told_apart for each in ranking.leads)
    found = GalleryResult("appeal", "Appeal", "pair", "All", 0, 3, ranking, ())
    assert order_said(found)[0] == ""
    said = lead_in_words(found)
    assert said.startswith("A is ahead of all that have a strength, of B, the closest, by ")
    assert said.endswith(" in strength; H lost every comparison, too few to tell it apart from A.")


def test_answer_counts_from_how_many_the_first_is_not_told_apart():
    """A is ahead of D beyond chance, and of B and C not."""
    rows = [("A", "B", "WLWWLLWL" * 3, 0, 0), ("B", "C", "WLLWLWWL" * 3, 0, 0),
            ("A", "C", "WWLLWLLW" * 3, 0, 0), ("A", "D", "WWWWWWWWWLWW" * 3, 0, 0),
            ("B", "D", "WWWWWLWWWWWW" * 3, 0, 0)]  # fmt: skip
    ranking = stats.rank_arms(comparisons(*rows))
    found = GalleryResult("appeal", "Appeal", "pair", "All", 0, 3, ranking, ())
    first = ranking.leads[0].arm
    assert [each.other for each in ranking.leads if each.is_told_apart] == ["D"]
    assert lead_in_words(found).startswith(
        f"{first}, first by its estimate, is not told apart from 2 of the 3 arms behind it: "
    )


def test_answer_stands_in_every_report_where_an_arm_lost_everything():
    results = campaign_results(voted("pair", prompts=6, k=2, strengths=(1.5, 0.5, 0.0, -60.0)))
    last = results.galleries[0].ranking.standings[-1]
    assert (last.arm, last.unbounded) == ("D", "lost every comparison")
    (answer,) = answers(results)
    assert "A" in answer.sentence
    assert answer.sentence in words(results_table(results))
    assert answer.sentence in {row["reason"] for row in rows_of(results)}


def test_answer_names_whom_the_first_is_not_told_apart_from():
    results = campaign_results(voted("pair", strengths=(0.1, 0.0, 0.05, 0.0, 0.02), prompts=3))
    (answer,) = answers(results)
    leads = results.galleries[0].ranking.leads
    assert not any(each.low > 0 for each in leads)
    assert f"{leads[0].arm}, first by its estimate, is not told apart from" in answer.sentence
    assert answer.sentence.endswith(" and 1 more in strength.")
    assert [each.value for each in leads] == sorted(each.value for each in leads)
    assert answer.leader == ""
