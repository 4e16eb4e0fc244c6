"""A reward as a scorer: requests, scores, what stands beside votes, and what must not."""

import json
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from evalplatform import stats
from evalplatform.accounts.members import set_member
from evalplatform.accounts.models import Annotator
from evalplatform.accounts.projects import Role, default_project
from evalplatform.accounts.services import ensure_researcher
from evalplatform.annotation.answer_columns import vote_columns
from evalplatform.annotation.models import Assignment
from evalplatform.annotation.services import enrol, open_campaign
from evalplatform.core.errors import BadInputError
from evalplatform.exports.building import build
from evalplatform.exports.options import checked_options
from evalplatform.feedback.beside_votes import beside_votes, votes_on
from evalplatform.feedback.management.commands import score_samples
from evalplatform.feedback.models import (
    CampaignReward,
    FeedbackLoop,
    FeedbackRound,
    RewardScore,
    ScoreRequest,
)
from evalplatform.feedback.scored import images_of, reward_coverage
from evalplatform.feedback.services import refresh_report, show_reward
from evalplatform.feedback.services.scoring import request_scores, score_batch
from evalplatform.feedback.tasks import score_images
from evalplatform.reports.exports import results_json
from evalplatform.reports.results import campaign_results
from evalplatform.reports.stats_votes import of_criterion, pair_votes
from models_backend.rewards.scorer import RewardScorer
from tests import factories

from .conftest import ASPECT


@pytest.fixture
def campaign(db):
    """Twenty-four prompts, of which twelve have votes of two people."""
    made = factories.make_draft(prompts=24, k=2, criteria=[ASPECT, "text_faithfulness"])
    open_campaign(campaign=made)
    return made


def two_in_three(slot):
    """Prefer A but on every third prompt; the second person's third ones are others."""
    at = slot.item.image_set.prompt.position
    return factories.pick(slot, int((at + slot.slot * at) % 3 == 0))


def vote_on(campaign, first=0, last=12, say=two_in_three):
    """Let two people judge some of the prompts."""
    now = timezone.now()
    people = [enrol(campaign=campaign, annotator=Annotator.objects.create()) for _ in range(2)]
    slots = Assignment.objects.filter(
        item__campaign=campaign, item__criterion__slug=ASPECT, purpose="main",
        item__image_set__prompt__position__gte=first, item__image_set__prompt__position__lt=last,
    )  # fmt: skip
    for slot in slots.select_related("item__image_set__prompt"):
        enrolment = people[slot.slot - 1]
        Assignment.objects.filter(pk=slot.pk).update(
            annotator=enrolment.annotator, leased_at=now, lease_expires_at=now + timedelta(1)
        )
        slot.refresh_from_db()
        factories.vote(enrolment, slot, say(slot))


def make_loop(campaign):
    return FeedbackLoop.objects.create(
        project=default_project(), slug="loop", gallery=["one", "two"], aspects=[ASPECT], k=1,
        prompt_set=campaign.prompt_sets.get(), verified_share=0.1, agreement_floor=0.6,
        proof_prompt_set=factories.make_prompt_set("proof", 1), sampler={},
    )  # fmt: skip


def scored(reward, campaign):
    show_reward(campaign=campaign, reward=reward, now=timezone.now())
    while score_images(reward.sha256):
        pass
    return CampaignReward.objects.get()


def test_every_image_is_scored_once_and_the_scorer_gives_what_evaluation_gives(
    reward, campaign, folder
):
    images = images_of(campaign)
    now = timezone.now()
    assert request_scores(reward=reward, images=images, now=now) == 48
    assert request_scores(reward=reward, images=images, now=now) == 48
    assert ScoreRequest.objects.count() == 48  # each once
    assert score_images(reward.sha256) == 32
    assert reward_coverage(reward, images).scored == 32  # killed here, it goes on
    assert score_images(reward.sha256) == 16
    assert score_images(reward.sha256) == 0
    assert reward_coverage(reward, images).is_complete
    assert request_scores(reward=reward, images=images, now=now) == 0
    assert not ScoreRequest.objects.exists()
    one = images[5]
    with default_storage.open(one.image) as file:
        content = file.read()
    (alone,) = RewardScorer(folder).score([content], [one.prompt], ["it"])
    stored = RewardScore.objects.get(image_sha256=one.image_sha256)
    assert stored.values[ASPECT] == pytest.approx(alone[ASPECT], rel=1e-5)


def test_one_image_that_cannot_be_scored_holds_up_no_other(reward, campaign):
    images = images_of(campaign)
    now = timezone.now()
    request_scores(reward=reward, images=images, now=now)
    broken, gone = images[3], images[7]
    ScoreRequest.objects.filter(image_sha256=gone.image_sha256).update(image="not/there.png")

    def score(files, prompts, names):
        if broken.image_sha256[:12] in names:
            raise ValueError("cannot be decoded")
        return [{ASPECT: 1.0} for _ in files]

    while score_batch(reward=reward, score=score, now=now):
        pass
    found = reward_coverage(reward, images)
    assert (found.scored, found.requested) == (46, 0)
    assert any("cannot be decoded" in why for why in found.failures)
    assert len(found.failures) == 2
    ScoreRequest.objects.filter(image="not/there.png").update(image=gone.image)
    request_scores(reward=reward, images=images, now=now)  # asked again, both are tried again
    assert reward_coverage(reward, images).requested == 2


def test_a_worker_that_dies_leaves_every_request(reward, campaign):
    request_scores(reward=reward, images=images_of(campaign), now=timezone.now())

    def killed(files, prompts, names):
        raise SystemExit

    with pytest.raises(SystemExit):
        score_batch(reward=reward, score=killed, now=timezone.now())
    assert ScoreRequest.objects.filter(error="").count() == 48
    assert not RewardScore.objects.exists()


def test_the_database_keeps_a_score_as_it_is(reward):
    row = RewardScore.objects.create(
        reward=reward, image_sha256="d" * 64, prompt_sha256="e" * 64, values={ASPECT: 1.0},
        scored_at=timezone.now(),
    )  # fmt: skip
    for change in (lambda: row.delete(), lambda: RewardScore.objects.update(values={})):
        with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
            change()
    with pytest.raises(IntegrityError, match="reward_score_unique"), transaction.atomic():
        RewardScore.objects.create(
            reward=reward, image_sha256="d" * 64, prompt_sha256="e" * 64, values={},
            scored_at=timezone.now(),
        )  # fmt: skip


def test_report_holds_the_figures_that_the_statistics_give(reward, campaign):
    vote_on(campaign)
    before = results_json(campaign_results(campaign))
    report = refresh_report(row=scored(reward, campaign)).report
    assert (report["scored"], report["images"], report["votes"]) == (48, 48, 24)
    found, unknown = report["criteria"]
    assert unknown == {"criterion": "text_faithfulness", "label": "Text faithfulness",
                       "unknown": True}  # fmt: skip
    values = {row.image_sha256: row.values[ASPECT] for row in RewardScore.objects.all()}
    by_prompt = {}
    for image in images_of(campaign):
        by_prompt.setdefault(image.prompt_id, {})[image.arm] = values[image.image_sha256]
    (pair,) = found["pairs"]
    higher = sum(each[0] > each[1] for each in by_prompt.values())
    assert pair["reward_says"] == {"win": higher, "tie": 0, "lose": 24 - higher, "sets": 24}
    votes = pair_votes(of_criterion(vote_columns(campaign), campaign.criteria.get(slug=ASPECT)))
    expected = stats.aided_rates(
        votes,
        prompt=list(by_prompt),
        predicted=[2 / (1 + np.exp(-(each[0] - each[1]) / 2.0)) - 1 for each in by_prompt.values()],
    )
    assert (expected.n_voted, expected.n_prompts, expected.reason) == (12, 24, "")
    both = pair["people_and_reward"]
    assert both["net"]["estimate"]["value"] == pytest.approx(expected.net.estimate.value)
    assert both["win"]["estimate"]["low"] == pytest.approx(expected.win.estimate.low)
    assert both["net"]["alone"]["value"] == before["groups"][0]["votes"]["net"]["value"]
    verdict = [
        (np.sign(by_prompt[p][0] - by_prompt[p][1]) * np.sign(1 - said) + 1) / 2
        for p, said in zip(votes.prompt.tolist(), votes.outcome.tolist(), strict=True)
    ]
    # Of two votes the other one is the majority of the rest: the judge beside each vote once.
    assert found["agreement"]["value"] == pytest.approx(np.mean(verdict))
    assert found["one_person"] == before["one_against_rest"][0]["agreement"]


def test_results_are_peoples_alone_whether_a_reward_is_shown_or_not(reward, campaign, client):
    vote_on(campaign)
    before = results_json(campaign_results(campaign))
    user, _ = ensure_researcher(username="rania")
    set_member(project=default_project(), user=user, role=Role.VIEWER)
    client.force_login(user)
    results, file = (
        reverse("reports:results", args=[campaign.slug]),
        reverse("reports:export", args=[campaign.slug, "rewards.json"]),
    )
    assert "rewards-beside-votes" not in client.get(results).content.decode()
    assert client.get(file).status_code == 404
    scored(reward, campaign)
    after = results_json(campaign_results(campaign))
    for volatile in ("made_at", "code_version"):
        before.pop(volatile), after.pop(volatile)
    assert before == after
    page = client.get(results).content.decode()
    assert "People + reward" in page
    assert (
        "no result of this campaign" in " ".join(page.split()) or "Nothing here is a result" in page
    )
    assert "Show it no longer" not in page  # a viewer's page
    (told,) = client.get(file).json()
    assert told["reward"] == "tiny"
    assert told["criteria"][0]["pairs"][0]["people_and_reward"]["n_voted"] == 12
    card = client.get(reverse("feedback:reward", args=["tiny"])).content.decode()
    assert "<h3>tiny</h3>" in card
    assert "keep a judge that is never optimised" in card
    assert campaign.slug in card
    # Votes change what is shown.
    row = CampaignReward.objects.get()
    mark = row.mark
    vote_on(campaign, 12, 24)
    assert refresh_report(row=CampaignReward.objects.get()).mark != mark


def test_a_reward_that_learned_from_these_votes_is_refused(reward, campaign):
    told = reward.metadata["data"]
    for leak in ({"campaign": f"other, {campaign.slug}"},
                 {"protocol_sha256": campaign.protocol_sha256}):  # fmt: skip
        reward.metadata["data"] = told | leak
        reward.save()
        with pytest.raises(BadInputError, match="learned from votes of"):
            show_reward(campaign=campaign, reward=reward, now=timezone.now())
    reward.metadata["data"] = told
    loop = make_loop(campaign)
    parent = campaign.contenders[0].checkpoint
    first = FeedbackRound.objects.create(loop=loop, number=1, parent=parent, rankings=campaign)
    reward.round = FeedbackRound.objects.create(loop=loop, number=2, parent=parent)
    reward.save()
    with pytest.raises(BadInputError, match="learned from the rankings of"):
        show_reward(campaign=campaign, reward=reward, now=timezone.now())
    first.delete()
    show_reward(campaign=campaign, reward=reward, now=timezone.now())


def test_command_says_what_is_wrong_and_switches_off(reward, campaign, capsys):
    with pytest.raises(CommandError, match=r"no reward 'tinny'.*there are: tiny"):
        call_command("score_samples", campaign.slug, "--reward", "tinny")
    call_command("score_samples", campaign.slug, "--reward", "tiny", "--no-wait")
    assert CampaignReward.objects.count() == 1
    while score_images(reward.sha256):
        pass
    call_command("score_samples", campaign.slug, "--reward", "tiny")
    assert "48 of 48 images scored" in capsys.readouterr().out
    call_command("score_samples", campaign.slug, "--reward", "tiny", "--hide")
    assert not CampaignReward.objects.exists()
    assert RewardScore.objects.count() == 48
    reward.aspects = ["spatial_relationship"]
    reward.save()
    with pytest.raises(CommandError, match="asks of pairs or rankings visual_appeal"):
        call_command("score_samples", campaign.slug, "--reward", "tiny")


def test_command_ends_where_a_score_cannot_be_had(reward, campaign, monkeypatch):
    """Workers are not there in tests of this kind: what one would have stored is stored here."""

    def fail(**options):
        ScoreRequest.objects.update(error="ValueError: cannot be decoded")

    monkeypatch.setattr(score_samples, "wake_for_scores", fail)
    monkeypatch.setattr(score_samples, "_PAUSE", 0.0)
    with pytest.raises(CommandError, match="48 of 48 images: ValueError: cannot be decoded"):
        call_command("score_samples", campaign.slug, "--reward", "tiny")


def test_an_arm_that_was_tuned_by_the_reward_is_told(reward, campaign):
    child = campaign.contenders[1].checkpoint
    loop = make_loop(campaign)
    reward.round = FeedbackRound.objects.create(
        loop=loop, number=1, parent=campaign.contenders[0].checkpoint, child=child,
        preferences_sha256="a" * 64,
    )  # fmt: skip
    reward.purpose = "optimised"
    reward.save()
    report = refresh_report(row=show_reward(campaign=campaign, reward=reward, now=timezone.now()))
    assert report.report["arms_tuned_by_it"] == [child.name]


def test_a_whole_export_has_the_reward_in_a_file_of_its_own(reward, campaign, tmp_path):
    vote_on(campaign)
    scored(reward, campaign)
    build(campaign, checked_options(campaign, {"kind": "jsonl"}), tmp_path)
    (told,) = json.loads((tmp_path / "rewards.json").read_text())
    assert told["criteria"][0]["agreement"]["value"] is not None
    assert "rewards.json" in (tmp_path / "SHA256SUMS").read_text()
    assert "reward" not in (tmp_path / "results.json").read_text()


def test_rankings_give_every_two_arms_seen_from_the_first(reward):
    made = factories.make_draft(
        prompts=24, k=2, criteria=[ASPECT], arms=3, form="ranking", design="together"
    )
    open_campaign(campaign=made)
    images = images_of(made)
    request_scores(reward=reward, images=images, now=timezone.now())
    worth = {image.image_sha256[:12]: float(-image.arm) for image in images}  # A over B over C

    def score(files, prompts, names):
        return [{ASPECT: worth[name]} for name in names]

    while score_batch(reward=reward, score=score, now=timezone.now()):
        pass

    def best_first(slot):
        arms = {each.place: each.arm.place for each in slot.item.image_set.images.all()}
        return ">".join(map(str, sorted(range(3), key=lambda at: arms[slot.order[at]])))

    vote_on(made, say=best_first)
    (told,) = beside_votes(made, reward)["criteria"]
    assert told["agreement"]["value"] == 1.0
    assert [(pair["arm"], pair["other"]) for pair in told["pairs"]] == [
        ("A", "B"), ("A", "C"), ("B", "C"),
    ]  # fmt: skip
    for pair in told["pairs"]:
        assert pair["reward_says"] == {"win": 24, "tie": 0, "lose": 0, "sets": 24}
        assert pair["people_and_reward"]["win"]["alone"]["value"] == 1.0
        # The reward is the same for every prompt, so that it has nothing to tell of them.
        assert pair["people_and_reward"]["state"] == "no_variation"


def test_votes_are_seen_from_the_first_of_two_arms_whichever_stands_first():
    graded = stats.graded_votes(
        item=[0, 1, 2], prompt=[0, 1, 1], annotator=[0, 1, 0], arms=["A", "B", "C"],
        arm=[[1, 0], [0, 1], [2, 1]], grade=[[1, 0], [1, 0], [1, 0]],
    )  # fmt: skip
    columns = SimpleNamespace(
        prompt=np.array([70, 80, 80]), annotator=np.array([5, 6, 5]), item=np.array([1, 2, 3])
    )
    found = votes_on(columns, graded, 0, 1)
    assert found.outcome.tolist() == [2, 0]
    assert (found.prompt.tolist(), found.annotator.tolist()) == ([70, 80], [5, 6])
    assert votes_on(columns, graded, 0, 2) is None
