"""The home page and the leaderboard: what waits, what runs, who stands where."""

import pytest
from django.core.management import call_command
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.accounts.projects import default_project
from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.criteria import plan_criterion
from evalplatform.campaigns.models import Campaign, Criterion
from evalplatform.campaigns.services import create_campaign, start_generation
from evalplatform.generation.services import claim_next, fail_batch
from evalplatform.reports.cached import results_of
from evalplatform.reports.pooling import boards, placed, pooled
from tests import factories
from tests.campaigns.test_collections_as_arms import collect

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(client, rania):
    client.force_login(rania)
    return client


@pytest.fixture
def people():
    return [Annotator.objects.create(pseudonym=f"p{n}") for n in range(5)]


def judged(people, slug, arms, prefer=0, **more):
    """A campaign on visual appeal in which some votes are for the arm at `prefer`."""
    campaign = factories.make_draft(
        prompts=4, slug=slug, arms=arms, criteria=["visual_appeal"], **more
    )
    open_campaign(campaign=campaign)
    count = iter(range(10_000))
    factories.judge_everything(
        campaign,
        people,
        lambda slot: factories.pick(slot, prefer if next(count) % 4 else 1 - prefer),
    )
    return campaign


@pytest.fixture
def models():
    return [factories.make_checkpoint(name) for name in ("one", "two", "three", "four")]


def test_campaigns_with_the_same_words_and_settings_are_one_ranking(people, models):
    judged(people, "first", models[:2])
    judged(people, "second", models[1:3])
    (board,) = boards(Campaign.objects.all())
    assert [each.slug for each in board.campaigns] == ["first", "second"]
    found = pooled(board.criteria)
    (ranking,) = found.rankings
    order = [found.contenders[int(each.arm)].name for each in ranking.standings]
    assert (order, ranking.n_votes, found.is_linked) == (["one", "two", "three"], 40, True)
    alone = pooled([each for each in board.criteria if each.campaign.slug == "first"])
    assert alone.n_votes == 20
    assert (
        alone.rankings[0].pairs[0].rates.net
        == results_of(Campaign.objects.get(slug="first")).groups[0].rates.net
    )


def test_models_that_nothing_links_are_ranked_apart_and_it_is_said(page, people, models):
    judged(people, "first", models[:2])
    judged(people, "second", models[2:])
    answer = page.get("/leaderboard/")
    names = [[row.contender.name for row in group.rows] for group in answer.context["groups"]]
    assert sorted(names) == [["one", "two"], ["three", "four"]]
    assert "Not linked" in answer.content.decode()


def test_a_model_that_won_all_stands_above_each_group_that_it_alone_links(people, models):
    """It has no strength, whichever place it has in its campaigns, and is never left out."""
    winner = factories.make_checkpoint("winner")
    judged(people, "first", models[:2])
    judged(people, "second", models[2:])
    for slug, arms in (("third", [winner, models[0]]), ("fourth", [models[2], winner])):
        campaign = factories.make_draft(prompts=2, slug=slug, arms=arms, criteria=["visual_appeal"])
        open_campaign(campaign=campaign)
        place = arms.index(winner)
        factories.judge_everything(
            campaign, people, lambda slot, at=place: factories.pick(slot, at)
        )
    (board,) = boards(Campaign.objects.all())
    found = pooled(board.criteria)
    names = [
        [found.contenders[int(each.arm)].name for each in placed(ranking)]
        for ranking in found.rankings
    ]
    assert sorted(names) == [["winner", "one", "two"], ["winner", "three", "four"]]
    assert [placed(each)[0].unbounded for each in found.rankings] == ["won every comparison"] * 2
    assert [each.n_votes for each in found.rankings] == [30, 30]
    assert (found.n_votes, found.alone) == (60, ())


def test_board_of_images_that_existed_names_no_sampler(people, models):
    things = factories.make_prompt_set("things", 2)
    arms = [collect(things, name) for name in ("theirs", "others")]

    def opened(slug, arms):
        campaign, _ = create_campaign(
            project=default_project(), slug=slug, arms=arms, prompt_sets=[things], seed=3,
            settings=factories.SETTINGS, criteria=[plan_criterion("visual_appeal", 1)],
        )  # fmt: skip
        factories.make_samples(campaign)
        open_campaign(campaign=campaign)

    opened("brought", arms)
    (board,) = boards(Campaign.objects.all())
    assert board.settings == "not known: images were brought"
    opened("mixed", [models[0], arms[0]])
    (board,) = boards(Campaign.objects.all())
    assert len(board.campaigns) == 2
    assert board.settings == "ddim, 4 steps, guidance 2"


def test_other_words_make_another_board(people, models):
    first = judged(people, "first", models[:2])
    criterion = first.criteria.get()
    judged(people, "second", models[1:3])
    with factories.thawed():
        type(criterion).objects.filter(pk=criterion.pk).update(question="Which is nicer?")
    assert [len(each.criteria) for each in boards(Campaign.objects.all())] == [1, 1]


def test_simulated_votes_stand_on_a_board_of_their_own(page, people, models):
    judged(people, "first", models[:2])
    Annotator.objects.update(is_simulated=True)
    fresh = [Annotator.objects.create(pseudonym=f"q{n}") for n in range(5)]
    judged(fresh, "second", models[:2])
    found = boards(Campaign.objects.all())
    assert [(each.is_simulated, len(each.criteria)) for each in found] == [(False, 1), (True, 1)]
    said = page.get(f"/leaderboard/?board={found[1].key}").content.decode()
    assert "never pooled with people" in said


def test_imported_votes_rank_models_by_name_on_a_board_of_their_own(page, people, models, tmp_path):
    judged(people, "first", models[:2])
    asked = Criterion.objects.get()
    rows = [f"prompt {at},one,new,b,u{who}" for at in range(4) for who in range(3)]
    file = tmp_path / "votes.csv"
    file.write_text("prompt,model_a,model_b,winner,annotator\n" + "\n".join(rows))
    call_command(
        "import_votes", file, "--campaign=elsewhere", "--criterion=visual_appeal",
        f"--question={asked.question}",
    )  # fmt: skip
    found = boards(Campaign.objects.all())
    assert sorted((each.is_imported, len(each.criteria)) for each in found) == [
        (False, 1), (True, 1),
    ]  # fmt: skip
    key = next(each.key for each in found if each.is_imported)
    answer = page.get(f"/leaderboard/?board={key}")
    rows = answer.context["groups"][0].rows
    assert [(row.contender.name, row.href) for row in rows] == [("new", ""), ("one", "")]
    assert "cast elsewhere" in answer.content.decode()


def test_board_takes_one_category_and_leaves_campaigns_out(page, people, models):
    judged(people, "first", models[:2])
    judged(people, "second", models[:2])
    answer = page.get("/leaderboard/?without=second")
    assert answer.context["groups"][0].n_votes == 20
    category = answer.context["categories"][:1]
    if category:
        part = page.get("/leaderboard/", {"category": category[0]})
        assert 0 < part.context["groups"][0].n_votes < 40
    assert page.get("/leaderboard/?without=first&without=second").context["groups"] == []
    assert page.get("/leaderboard/?board=%00&prompts=x@y&category=%00").status_code == 200


def test_standings_are_kept_until_a_vote_changes_them(page, people, models, monkeypatch):
    judged(people, "first", models[:2])
    page.get("/leaderboard/")
    monkeypatch.setattr("evalplatform.reports.pooling.pooled", None)
    assert page.get("/leaderboard/").context["groups"][0].n_votes == 20


def test_empty_site_shows_the_way_to_a_first_answer(page):
    said = page.get("/home/").content.decode()
    assert "Four steps to a first answer" in said
    states = [each.state for each in page.get("/home/").context["checklist"]]
    assert states == ["now", "next", "next", "next"]
    assert "Nothing to rank yet" in page.get("/leaderboard/").content.decode()


def test_home_tells_what_runs_what_waits_and_what_was_found(page, people, models):
    campaign = judged(people, "first", models[:2])
    results_of(campaign)
    context = page.get("/home/").context
    assert [each.campaign.slug for each in context["running"]] == ["first"]
    assert [each.where for each in context["waiting"]] == ["first"]
    (answer,) = context["answers"]
    assert answer.criterion == "Visual appeal"
    assert answer.mark.value == pytest.approx(0.5)
    assert not context["is_new"]


def test_home_names_a_prepared_campaign_that_nobody_opens_and_a_failure_once(
    page, models, settings, monkeypatch
):
    monkeypatch.setattr("celery.current_app.send_task", lambda *_, **__: None)
    things = factories.make_prompt_set("things", 2)
    create_campaign(
        project=default_project(), slug="brought", prompt_sets=[things], seed=3,
        arms=[collect(things, name) for name in ("theirs", "others")],
        settings=factories.SETTINGS, criteria=[plan_criterion("visual_appeal", 1)],
    )  # fmt: skip
    start_generation(campaign=factories.make_draft(prompts=1, slug="made", arms=models[:2]))
    fails = factories.make_draft(prompts=2, slug="fails", arms=models[2:], sampled=False)
    settings.GENERATION_BATCH_SIZE = 1
    start_generation(campaign=fails)
    Campaign.objects.update(status="generating")
    while batch := claim_next(worker="w", now=timezone.now()):
        fail_batch(batch=batch, error=RuntimeError("no weights " * 40), now=timezone.now())
    waiting = page.get("/home/").context["waiting"]
    held = "Its images are there, and it is not open"
    assert {each.where for each in waiting if each.what == held} == {"brought", "made"}
    failed = [each for each in waiting if each.what != held]
    assert sorted(each.where for each in failed) == ["fails · four", "fails · three"]
    assert all(each.what.endswith("…") for each in failed)


def test_home_of_a_stranger_shows_nothing_of_others(client, people, models, django_user_model):
    judged(people, "first", models[:2])
    client.force_login(django_user_model.objects.create_user("stranger"))
    context = client.get("/home/").context
    assert (context["running"], context["waiting"], context["answers"]) == ([], [], [])
    assert client.get("/leaderboard/").context["board"] is None


def test_way_in_leads_home(page):
    assert page.get("/")["Location"] == "/home/"
    assert default_project().name == "default"
