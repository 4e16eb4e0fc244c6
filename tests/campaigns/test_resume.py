"""`run_eval --resume NAME`: goes on with a campaign as it was asked, or says why not."""

import pytest
from django.core.management import CommandError, call_command

from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.services import close_campaign, pause_campaign
from evalplatform.generation.models import GenerationRequest
from tests import factories
from tests.running import AS_USUAL

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked_in_full(tmp_path, monkeypatch):
    """A campaign asked with every option there is, and interrupted before its samples were made."""
    from evalplatform.runs.management.commands import run_eval

    for name in ("one", "two"):
        factories.make_checkpoint(name)
    factories.make_prompt_set("things", 6)
    for name in ("good", "bad"):
        factories.make_image(len(name)).save(tmp_path / f"{name}.png")
    (tmp_path / "gold.tsv").write_text(
        "criterion\tpurpose\tprompt\tbetter\tworse\twhy\n"
        "visual_appeal\texample\t\tgood.png\tbad.png\tThe other is noise.\n"
    )
    (tmp_path / "rules.toml").write_text("[annotation]\nsession_cap = 7\n")

    def interrupt(samples, name):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run_eval, "wait_for_samples", interrupt)
        patch.chdir(tmp_path)
        with pytest.raises(CommandError, match="interrupted"):
            call_command(
                "run_eval", "one", "two", "--prompts=things", "--name=run", "--limit=4", "--k=3",
                "--criteria=visual_appeal", "--rules=rules.toml", "--gold=gold.tsv", "--no-open",
                "--seed=5", "--sampler=dpm++", "--steps=9", "--guidance=1.5", "--height=64",
                "--width=64", "--negative-prompt=blur", "--priority=3", "--budget-minutes=8",
                "--allow-cut=0.5",
            )  # fmt: skip
    return Campaign.objects.get()


def test_everything_is_as_it_was_asked(asked_in_full, capsys):
    campaign = asked_in_full
    GenerationRequest.objects.update(priority=9)  # by an operator meanwhile
    factories.make_samples(campaign)
    call_command("run_eval", resume="run")
    campaign.refresh_from_db()
    assert campaign.status == "generating"
    assert "run_eval --resume run --open` opens it" in capsys.readouterr().out
    request = GenerationRequest.objects.get()
    assert (request.priority, request.budget_seconds) == (9, 480)
    assert [gold.origin["kind"] for gold in campaign.image_sets.gold()] == ["file"]

    call_command("run_eval", "--resume=run", "--open")
    campaign.refresh_from_db()
    protocol = campaign.protocol
    assert campaign.status == "open"
    assert protocol["prompts_per_set"] == campaign.items.main().count() == 4
    assert protocol["seed"] == 5
    assert [(each["slug"], each["k"]) for each in protocol["criteria"]] == [("visual_appeal", 3)]
    assert protocol["rules"]["annotation"]["session_cap"] == 7
    assert protocol["rules"]["samples"]["allow_cut"] == 0.5
    assert protocol["sampler_settings"] == {
        "sampler": "dpm++", "steps": 9, "guidance_scale": 1.5, "negative_prompt": "blur",
        "height": 64, "width": 64,
    }  # fmt: skip


def test_the_same_command_again_resumes_as_before(asked_in_full):
    factories.make_samples(asked_in_full)
    call_command(
        "run_eval", "one", "two", "--prompts=things", "--name=run", "--limit=4", "--k=3",
        "--criteria=visual_appeal", f"--rules={asked_in_full.gold_file[:-8]}rules.toml",
        "--seed=5", "--sampler=dpm++", "--steps=9", "--guidance=1.5", "--height=64", "--width=64",
        "--negative-prompt=blur",
    )  # fmt: skip
    asked_in_full.refresh_from_db()
    assert asked_in_full.status == "open"
    assert asked_in_full.image_sets.gold().filter(origin__kind="file").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--resume=run", "--steps=9"], "leave out --steps."),
        (["one", "--resume=run", "--k=2", "--prompts=x"], "leave out --k, --prompts, ARM."),
        (["--resume=none"], "no campaign 'none'; known: run"),
        (["--resume=run", "--allow-cut=2"], "--allow-cut 2.0 is out of range"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(asked_in_full, options, message):
    with pytest.raises(CommandError) as refused:
        call_command("run_eval", *options)
    assert message in str(refused.value)
    assert refused.value.returncode == 2
    assert Campaign.objects.get().status == "generating"


def said(campaign, capsys):
    capsys.readouterr()
    call_command("run_eval", resume=campaign.slug)
    return capsys.readouterr().out


def test_a_campaign_that_has_opened_says_its_state_and_where_to_go_on(campaign, capsys):
    link = f"/annotate/{campaign.invitation}/"
    out = said(campaign, capsys)
    assert "is open" in out
    assert "images of one colour" in out
    assert link in out
    pause_campaign(campaign=campaign)
    out = said(campaign, capsys)
    assert "is paused" in out
    assert f"`manage.py pause_campaign {campaign.slug} --resume`" in out
    close_campaign(campaign=campaign)
    out = said(campaign, capsys)
    assert "is closed" in out
    assert "takes no more votes" in out
    assert f"`manage.py report {campaign.slug}`" in out
    assert "annotat" not in out


def test_the_command_that_made_a_closed_campaign_prints_no_link_either(capsys):
    draft = factories.make_draft(criteria=["visual_appeal"], rules=AS_USUAL)
    command = [
        "run_eval", *(arm.name for arm in draft.contenders), "--seed=7", "--steps=4",
        f"--prompts={draft.prompt_sets.get().name}", f"--name={draft.slug}", "--guidance=2",
        "--criteria=visual_appeal",
    ]  # fmt: skip
    call_command(*command)
    assert "/annotate/" in capsys.readouterr().out
    draft.refresh_from_db()
    close_campaign(campaign=draft)
    call_command(*command)
    assert "/annotate/" not in capsys.readouterr().out
