"""A step of a loop whose worker was killed is begun again: what it made is found, and made once."""

import json
import shutil
from contextlib import nullcontext

import pytest
from django.conf import settings as site
from django.utils import timezone

from evalplatform.accounts.projects import default_project
from evalplatform.api.jobs import JobKind, queue_job, run_job
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.services import close_campaign
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.feedback import asked_steps, training
from evalplatform.feedback.models import FeedbackRound, RegisteredReward
from evalplatform.feedback.services import request_newcomers
from evalplatform.generation.models import GenerationRequest
from evalplatform.generation.services import record_sample
from tests import factories
from tests.api.test_killed_jobs import STORED, do_again, kill
from tests.checkpoints.test_register import make_trained
from tests.feedback.conftest import rank
from tests.feedback.test_rounds import write_reward

pytestmark = pytest.mark.django_db(transaction=True)
SERVICES = "evalplatform.feedback.services"


@pytest.fixture(autouse=True)
def _folders(settings, monkeypatch):
    """Those of the site's own settings, where a worker's process looks too."""
    settings.CHECKPOINT_DIR = site.VAR_DIR / "checkpoints"
    settings.FEEDBACK_DIR = site.VAR_DIR / "feedback"
    monkeypatch.setattr("evalplatform.api.jobs._wake", lambda number: None)
    yield
    shutil.rmtree(settings.FEEDBACK_DIR, ignore_errors=True)


@pytest.fixture
def ask(rania, loop):
    def step(verb):
        asked = {"loop": "stickers", "round": 1, "verb": verb, "recipe": "preference"}
        asked |= {"steps": None, "settings": []}
        return queue_job(project=default_project(), kind=JobKind.FEEDBACK, asked=asked, user=rania)

    return step


@pytest.mark.parametrize("at", [f"{SERVICES}.exporting:keep_preferences", STORED])
def test_preference_set_is_found_and_not_written_anew(ask, loop, at):
    round = rank(loop)
    close_campaign(campaign=round.rankings)
    job = ask("export")
    assert kill(job, at) == ("running", "")
    mark = round.folder / "preferences/preferences.json"
    written = mark.stat().st_mtime_ns
    if at != STORED:  # killed a moment earlier, it leaves that too
        (round.folder / "votes").mkdir()
    assert do_again(job) == "72 pairs"
    assert mark.stat().st_mtime_ns == written
    assert not (round.folder / "votes").exists()


@pytest.mark.parametrize(
    ("verb", "made"), [("expand", "stickers-check-1"), ("prove", "stickers-proof-1")]
)
def test_campaign_is_found_and_not_made_twice(ask, loop, verb, made):
    child = factories.make_checkpoint("child")
    FeedbackRound.objects.update(
        child=child, preferences_sha256="a" * 64, insertion={"pairs": 3, "images": 6}
    )
    for sample in request_newcomers(round=loop.rounds.get()):
        record_sample(sample=sample, image=factories.make_image(sample.pk), now=timezone.now())
    asked = GenerationRequest.objects.get(name=f"loop:{loop.slug}:1")  # as no campaign is called
    assert (asked.asker, asked.asked_by) == ("loop", loop.slug)
    job = ask(verb)
    assert kill(job, STORED) == ("running", "")
    slugs = sorted(Campaign.objects.values_list("slug", flat=True))
    assert do_again(job) == made
    assert sorted(Campaign.objects.values_list("slug", flat=True)) == slugs
    assert made in slugs


@pytest.fixture
def killed(monkeypatch):
    """Do a job in this process, which ends at the call that follows `after` calls."""

    def run(job, where, name, *, after=0):
        calls = []
        real = getattr(where, name)

        def die(*given, **named):
            calls.append(given)
            if len(calls) > after:
                raise SystemExit
            return real(*given, **named)

        with monkeypatch.context() as patch:
            patch.setattr(where, name, die)
            with pytest.raises(SystemExit):
                run_job(number=job.pk, now=timezone.now)
        job.refresh_from_db()
        assert (job.status, job.result) == ("running", "")

    return run


@pytest.mark.parametrize(
    ("where", "name", "after"),
    [(RegisteredReward, "save", 0), (training, "register_reward", 1)],
    ids=["copied, and not written down", "one of two"],
)
def test_rewards_are_trained_and_registered_once(
    ask, loop, killed, monkeypatch, where, name, after
):
    FeedbackRound.objects.update(preferences_sha256="a" * 64)
    trained = []

    def program(module, arguments, *, say):
        if arguments[0] == "divide":
            for half in arguments[3:6:2]:
                half.mkdir(parents=True)
                (half / "preferences.json").write_text("{}")
        else:
            told = {"aspects": {}, "split": "test", "simulated": False}
            arguments[-1].write_text(json.dumps(told))
        return [""]

    def train(config, options):
        out = options[options.index("--out") + 1]
        made = site.VAR_DIR / "feedback" / out / "reward"
        if not made.exists():  # a run that is finished is found so
            trained.append(config.name)
            write_reward(made, weights=config.name.encode())
        return made

    monkeypatch.setattr(training, "ask_backend", program)
    monkeypatch.setattr(asked_steps, "train_quietly", train)
    monkeypatch.setattr(asked_steps, "standing_by", nullcontext)
    job = ask("train")
    killed(job, where, name, after=after)
    assert do_again(job) == "stickers-learn-1, stickers-judge-1"
    assert trained == ["learn.toml", "judge.toml"]
    assert RegisteredReward.objects.count() == 2


def test_child_is_tuned_and_registered_once(ask, loop, killed, monkeypatch):
    FeedbackRound.objects.update(preferences_sha256="a" * 64)
    round = loop.rounds.get()
    made = make_trained(round.folder / "run", parent_sha256=round.parent.sha256, value=7.0)
    monkeypatch.setattr(asked_steps, "train_child", lambda round, **asked: made)
    job = ask("tune")
    before = Checkpoint.objects.count()
    killed(job, FeedbackRound, "save")
    assert Checkpoint.objects.count() == before + 1
    assert do_again(job) == "stickers-child-1"
    assert Checkpoint.objects.count() == before + 1
    round.refresh_from_db()
    assert round.child.name == "stickers-child-1"
