"""Rewards are taken in verified; a child is its parent's; people decide whether a round follows."""

import hashlib
import json

import pytest
from django.core.management import call_command

from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import planned_prompts
from evalplatform.core.errors import BadInputError
from evalplatform.feedback.configs import reward_config, tuning_config
from evalplatform.feedback.folders import copy_whole, working_on
from evalplatform.feedback.models import FeedbackRound, RegisteredReward
from evalplatform.feedback.selectors import facts_of, latest_round
from evalplatform.feedback.services import (
    count_agreement,
    evaluation_of,
    expanding,
    register_child,
    register_reward,
    start_verification,
)
from evalplatform.feedback.steps import StepState, next_step, steps_of
from tests import factories

ASPECTS = ["visual_appeal", "text_faithfulness"]
MARK = {
    "pairs": 9, "prompts": 3, "images": 4, "aspects": ASPECTS, "annotators": 2, "ties": 0,
    "sources": {"human": 8, "inserted": 1}, "splits": {}, "simulated": False,
}  # fmt: skip


def write_reward(folder, weights=b"weights", aspects=ASPECTS, **changes):
    """Write a folder as the trainer leaves it; its weights are never loaded on this side."""
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(weights)
    told = {
        "format": "t2i-reward/1", "aspects": aspects,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }  # fmt: skip
    (folder / "reward.json").write_text(json.dumps(told | changes))
    return folder


@pytest.fixture
def round(loop, settings, tmp_path) -> FeedbackRound:
    settings.FEEDBACK_DIR = tmp_path / "feedback"
    found = loop.rounds.get()
    found.preferences_sha256 = "a" * 64
    found.save()
    return found


@pytest.fixture
def tuned(round) -> FeedbackRound:
    """A round whose child is in the rankings, and the folders that the backend leaves."""
    round.child = factories.make_checkpoint("child")
    round.insertion = {"pairs": 3, "images": 1}
    round.save()
    for name in ("expanded", "verification"):
        folder = round.folder / name
        folder.mkdir(parents=True)
        (folder / "preferences.json").write_text(json.dumps(MARK))
    return round


def take(round, source, name="learn-1", purpose="optimised"):
    return register_reward(
        round=round, source=source, name=name, purpose=purpose, preferences_sha256="c" * 64
    )


def test_reward_is_kept_by_its_hash_and_once(round, tmp_path):
    source = write_reward(tmp_path / "run")
    reward = take(round, source)
    assert (reward.directory / "model.safetensors").read_bytes() == b"weights"
    assert take(round, source, name="again") == reward
    with pytest.raises(BadInputError, match="a judge is never optimised"):
        take(round, source, name="judge", purpose="judge")
    with pytest.raises(BadInputError, match="already; give another name"):
        take(round, write_reward(tmp_path / "other", b"other"))
    assert RegisteredReward.objects.count() == 1
    assert list(reward.directory.parent.iterdir()) == [reward.directory]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": "t2i-reward/0"}, "not of the format"),
        ({"weights_sha256": "0" * 64}, "was changed"),
        ({"aspects": ["visual_appeal"]}, "not text_faithfulness"),
        ({"aspects": "visual_appeal"}, "not of the format"),
        ({"aspects": [1, 2]}, "not of the format"),
    ],
)
def test_unusable_rewards_are_refused(round, tmp_path, changes, said):
    with pytest.raises(BadInputError, match=said):
        take(round, write_reward(tmp_path / "run", **changes))
    with pytest.raises(BadInputError, match="is no reward model"):
        take(round, tmp_path / "nothing")
    assert not RegisteredReward.objects.exists()


def test_child_of_another_parent_is_refused(round, tmp_path, monkeypatch):
    stranger = factories.make_checkpoint("stranger")
    taken = "evalplatform.feedback.services.tuning.register_checkpoint"
    monkeypatch.setattr(taken, lambda **asked: (stranger, True))
    with pytest.raises(BadInputError, match="was tuned from nothing"):
        register_child(round=round, source=tmp_path)
    stranger.parent_id = round.parent.sha256
    stranger.save()
    assert register_child(round=round, source=tmp_path).child == stranger


def test_people_verify_on_a_share_of_the_prompts(tuned):
    verification = start_verification(round=tuned)
    assert [arm.name for arm in verification.contenders] == ["one", "two", "three", "child"]
    assert len(planned_prompts(verification)) == 1  # a tenth of six, rounded up
    assert verification.seed == tuned.rankings.seed, "the images are those that were placed"
    assert start_verification(round=tuned) == verification
    tuned.refresh_from_db()
    with pytest.raises(BadInputError, match="people's votes tell"):
        count_agreement(round=tuned)


@pytest.mark.parametrize(("agreed", "goes_on"), [(6, True), (5, False)])
def test_next_round_needs_agreement(tuned, monkeypatch, agreed, goes_on):
    verification = start_verification(round=tuned)
    Campaign.objects.filter(pk=verification.pk).update(
        status="closed", protocol={}, protocol_sha256="a" * 64
    )
    tuned = FeedbackRound.objects.get(pk=tuned.pk)
    said = json.dumps({"agreed": agreed, "compared": 10})
    monkeypatch.setattr(expanding, "ask_backend", lambda *given, **named: [said])
    found = count_agreement(round=tuned)
    assert found.agreement == agreed / 10
    last = latest_round(FeedbackRound.objects.get(pk=tuned.pk).loop)
    assert (last.number == 2) is goes_on
    if goes_on:
        assert last.parent.name == "child"
        assert last.preferences["sources"] == MARK["sources"]
        assert next_step(steps_of(facts_of(last))).command.endswith(f"train {last.loop.slug}")
        proof = next(
            each for each in steps_of(facts_of(last.loop.rounds.first())) if each.label == "Proof"
        )
        assert proof.command.endswith(f"prove {last.loop.slug} --round 1")  # else the last's
    else:
        stopped = next_step([s for s in steps_of(facts_of(found)) if s.label == "Verification"])
        assert stopped.state is StepState.STOPPED


def test_only_what_a_reward_is_made_of_is_taken_in(round, tmp_path):
    source = write_reward(tmp_path / "run")
    (source / "tokenizer").mkdir()
    (source / "tokenizer" / "vocab.json").write_text("{}")
    (source / "stranger.py").write_text("print('never')")
    kept = take(round, source).directory
    assert (kept / "tokenizer" / "vocab.json").is_file()
    assert not (kept / "stranger.py").exists()


def test_reward_of_another_round_is_refused(round, tmp_path):
    source = write_reward(tmp_path / "run")
    take(round, source)
    second = FeedbackRound.objects.create(loop=round.loop, number=2, parent=round.parent)
    with pytest.raises(BadInputError, match="reward of another round"):
        take(second, source)


def test_two_steps_of_a_round_do_not_run_at_once(round):
    with (
        working_on(round),
        pytest.raises(BadInputError, match="another step"),
        working_on(round),
    ):
        pass
    with working_on(round):  # it ended, and is free again
        pass


def test_copy_that_broke_off_is_made_anew(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "preferences.json").write_text("{}")
    (tmp_path / "copy.part").mkdir()
    (tmp_path / "copy.part" / "half").write_text("half")
    copy_whole(tmp_path / "set", tmp_path / "copy")
    assert [each.name for each in (tmp_path / "copy").iterdir()] == ["preferences.json"]


def test_status_says_what_comes_next(round, capsys):
    Campaign.objects.filter(pk=round.rankings.pk).update(
        status="closed", protocol={}, protocol_sha256="a" * 64
    )
    call_command("feedback", "status", "stickers")
    assert "python manage.py feedback train stickers" in capsys.readouterr().out


def test_configurations_name_the_judge_and_never_optimise_it(tmp_path):
    asked = tuning_config(
        recipe="feedback", name="child", aspects=ASPECTS, rewards=[tmp_path / "r"],
        judge=tmp_path / "j", held_out=tmp_path / "h", seed=1, steps=40,
    )  # fmt: skip
    assert f'rewards = [\n    "{tmp_path / "r"}",\n]' in asked
    assert f'judge = "{tmp_path / "j"}"\nheld_out = "{tmp_path / "h"}"' in asked
    assert "rewards" not in tuning_config(
        recipe="preference", name="child", aspects=ASPECTS, rewards=[tmp_path / "r"], judge=None,
        held_out=None, seed=1, steps=None,
    )  # fmt: skip
    assert 'features = "fixed"' in reward_config("r", ASPECTS, "fixed", 0)


def test_evaluation_shows_every_scorer_beside_one_person():
    told = {"mean": 0.7, "low": 0.6, "high": 0.8, "n": 40}
    report = {
        "split": "test", "simulated": True,
        "aspects": {"visual_appeal": {
            "accuracy": told, "one_person": told | {"mean": 0.75}, "reward_on_the_same": told,
            "baselines": {"colourfulness": told | {"mean": 0.5}, "file size": None},
        }},
    }  # fmt: skip
    found = evaluation_of(report)
    assert (found["accuracy"], found["one_person"]) == (0.7, 0.75)
    assert [row["accuracy"] for row in found["rows"]] == ["0.700", "0.750", "0.700", "0.500"]
