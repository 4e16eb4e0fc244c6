"""The paper pack: it compiles whatever names hold, and what nobody stated is missing."""

import json
import re
import shutil
import subprocess

import pytest
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Enrolment
from evalplatform.annotation.services import enrol, exclude, open_campaign, reinstate
from evalplatform.campaigns.prompt_filter import parse_filter
from evalplatform.campaigns.services import close_campaign
from evalplatform.exports.paper.checklist import checklist
from evalplatform.exports.paper.figures import drawable
from evalplatform.exports.paper.latex import PREAMBLE, latex
from evalplatform.promptsets.models import Prompt
from evalplatform.quality.services import exclude_by_hand
from evalplatform.reports.answers import answers
from evalplatform.reports.deviations import deviations
from evalplatform.reports.methods import PlainWording, methods
from evalplatform.reports.results import campaign_results
from tests import factories
from tests.exports.campaigns import duel, exported
from tests.reports.test_galleries import voted

SPECIALS = r"""\ { } $ & # % _ ^ ~ < > | " ' ` - -- [x] * \input{/etc/passwd} \end{document} %"""
OTHERS = (
    "Zoë Çelik Łódź ñ ğ – “x” 猫が飛ぶ 고양이 שלום مرحبا 🦊👩\u200d🚀 \u202eevil\u2066 a\u0301 \x07"
)


def test_text_of_others_becomes_ascii_without_a_command_of_its_own():
    for text in (SPECIALS, OTHERS):
        shown = latex(text)
        assert shown.isascii()
        assert "\\input{" not in shown
        assert "\\end{" not in shown
        bare = re.sub(r"\\[a-zA-Z]+|\\.", "", shown)
        assert not set(bare) & set("\\$&#%_^")
    assert latex("50% of R&D_x") == r"50\% of R\&D\_x"
    assert latex("Zoë") == r"Zo\"{e}"
    assert latex("猫") == r"\evalchar{732B}"


def test_figures_draw_letters_of_their_font_and_codes_of_others():
    assert drawable("café $x$") == "café $x$"
    assert drawable("猫 שלום") == "[U+732B] [U+05E9][U+05DC][U+05D5][U+05DD]"
    assert len(drawable("x" * 500)) == 60


@pytest.mark.django_db(transaction=True)
def test_excluded_votes_of_a_gallery_are_told_once_however_many_arms_there_are():
    campaign = voted("pair", prompts=4, k=1, people=1)
    exclude(enrolment=Enrolment.objects.get(), rule="gold", detail="1 of 6", now=timezone.now())
    results = campaign_results(campaign)
    assert len(results.with_excluded) == 4
    told = {each.item: each.known for each in checklist(results, consent="", licence="")}
    assert told["Result with and without the excluded"].count("24 votes excluded") == 1


def compiled(folder):
    """Compile twice, with BibTeX between, and return the log; skipped where there is no LaTeX."""
    if not shutil.which("pdflatex"):
        pytest.skip("no LaTeX here: pdflatex is not installed, so nothing was compiled.")
    log = ""
    for program in (["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main"],
                    ["bibtex", "main"]) * 2:  # fmt: skip
        done = subprocess.run(program, cwd=folder, capture_output=True, check=False, timeout=120)
        log = done.stdout.decode("latin-1")
        assert done.returncode == 0, log[-1500:]
    return log


def test_odd_text_compiles(tmp_path):
    text = latex(SPECIALS + OTHERS)
    (tmp_path / "main.tex").write_text(
        "\\documentclass{article}\n\\usepackage[T1]{fontenc}\\usepackage{textcomp,booktabs}\n"
        f"{PREAMBLE}\n\\begin{{document}}\\section{{{text}}}\\cite{{none}}\n"
        f"\\begin{{tabular}}{{ll}}\\toprule {text} & x \\\\\n{text} & y \\\\ \\bottomrule\n"
        "\\end{tabular}\\bibliographystyle{plain}\\bibliography{references}\\end{document}\n"
    )
    (tmp_path / "references.bib").write_text("@misc{none, title = {x}}\n")
    compiled(tmp_path)


@pytest.mark.django_db(transaction=True)
def test_pack_of_two_arms_compiles_and_tells_what_is_missing(tmp_path):
    campaign = duel(prompts=8)
    with factories.thawed():
        Prompt.objects.filter(category="Animals").update(category="R&D_100% 猫 {\\x} 🦊")
    exported(campaign, tmp_path, "paper", consent="That votes are published.")
    compiled(tmp_path)
    # Nothing sticks out into the margin, long names of others neither (in points).
    log = (tmp_path / "main.log").read_text("latin-1")
    assert not [float(each) for each in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)
                if float(each) > 2]  # fmt: skip
    printed = json.loads((tmp_path / "results.json").read_text())
    table = (tmp_path / "tables" / "win-tie-lose.tex").read_text()
    for group in printed["groups"]:
        assert f"${100 * group['votes']['net']['value']:+.1f}$" in table
    assert "Stylized" in table
    asked = (tmp_path / "checklist.md").read_text()
    assert "- [ ] Approval by an ethics board: **missing**" in asked
    assert "- [ ] Pay per item, and hourly wage: **missing**" in asked
    assert "- [x] Consent: That votes are published." in asked
    assert (tmp_path / "figures" / "net.pdf").read_bytes().startswith(b"%PDF")
    assert b"<text" in (tmp_path / "figures" / "net.svg").read_bytes()


def judged(slug, **options):
    """Two votes on six prompts' images, shown 600 px wide, read in German and as written."""
    campaign = factories.make_draft(
        slug=slug, prompts=6, k=1, criteria=["visual_appeal"], **options
    )
    open_campaign(campaign=campaign)
    mine = enrol(campaign=campaign, annotator=Annotator.objects.create(pseudonym="ada"))
    for language in ("de", ""):
        factories.vote(mine, factories.lease(mine), language=language, shown_px=600)
    return campaign


@pytest.mark.django_db(transaction=True)
def test_checklist_and_methods_name_layout_delivery_size_filter_pay_and_languages():
    rules = {
        "annotation": {"delivery": "webp", "delivery_quality": 85, "layout": "side_by_side"},
        "pay": {"per_vote": 0.1, "currency": "EUR"},
    }
    campaign = judged("webp", rules=rules, prompt_filter=parse_filter({"third": 1}))
    results = campaign_results(campaign)
    told = {each.item: each.known for each in checklist(results, consent="", licence="")}
    assert told["Layout of the page"] == "two images side by side on every screen"
    assert told["Delivery: as which files images were sent"] == (
        "WebP of quality 85 for every image"
    )
    assert told["Displayed size, as measured"].startswith("median 600 device pixels a side")
    assert told["Filter of prompts"] == "third 1 (seed 7); 2 prompts"
    assert told["Pay per item, and hourly wage"].startswith("0.1 EUR an answer")
    assert told["Language in which the question was read"] == "German (1 vote), English (1 vote)"
    said = methods(results, PlainWording())
    assert "images were sent as WebP of quality 85 for every image." in said
    assert "taken that meet third 1 (seed 7); 2 prompts." in said
    assert "They read the question in German (1 vote), English (1 vote)." in said
    assert "Pay, fixed before the first vote: 0.1 EUR an answer." in said
    plain = campaign_results(duel(slug="plain", prompts=2))
    told = {each.item: each.known for each in checklist(plain, consent="", licence="")}
    assert told["Delivery: as which files images were sent"].startswith("lossless PNG")
    assert told["Filter of prompts"] == "none"
    missing = [name for name, known in told.items() if known is None]
    assert {"Displayed size, as measured", "Pay per item, and hourly wage"} < set(missing)


@pytest.mark.django_db(transaction=True)
def test_what_was_not_done_as_the_protocol_froze_it_is_told():
    campaign = judged("told")
    as_frozen = campaign_results(campaign)
    assert not deviations(as_frozen)
    told = {each.item: each.known for each in checklist(as_frozen, consent="", licence="")}
    assert told["Deviations from the protocol"] is None  # only a person can say
    mine, now = Enrolment.objects.get(), timezone.now()
    reinstate(exclusion=exclude_by_hand(enrolment=mine, reason="a test account", now=now), now=now)
    other = enrol(campaign=campaign, annotator=Annotator.objects.create(pseudonym="bo"))
    factories.vote(other, factories.lease(other))
    exclude_by_hand(enrolment=other, reason="a friend of the authors", now=now)
    close_campaign(campaign=campaign)
    campaign.refresh_from_db()
    campaign.protocol["amendments"] = [
        {"at": "2026-03-04T05:06:07+00:00", "arm": {"name": "late"}, "protocol_sha256_before": "a"}
    ]
    results = campaign_results(campaign)
    assert deviations(results) == [
        "late joined on 2026-03-04, after the first vote could be cast",
        "1 annotator excluded by hand, by no rule fixed beforehand",
        "1 exclusion taken back by hand",
        "closed with 2 of 6 votes",
    ]
    told = {each.item: each.known for each in checklist(results, consent="", licence="")}
    assert "1 annotator excluded by hand" in told["Deviations from the protocol"]
    said = methods(results, PlainWording())
    assert (
        "1 annotator was excluded, 1 of them by hand, by no rule fixed beforehand (1 vote)." in said
    )


@pytest.mark.django_db(transaction=True)
def test_pack_of_a_gallery_has_strengths_and_rank_sets(tmp_path):
    campaign = voted("ranking", design="together", prompts=4, k=2)
    exported(campaign, tmp_path, "paper")
    table = (tmp_path / "tables" / "strengths.tex").read_text()
    assert table.count(r"\quad") == table.count("Stylized") > 0
    assert (tmp_path / "tables" / "pairs.tex").read_text().count(" : ") == 6
    main = (tmp_path / "main.tex").read_text()
    assert r"\input{tables/pairs}" in main
    assert r"\input{answers}" in main
    (answer,) = answers(campaign_results(campaign))
    assert latex(answer.sentence) in (tmp_path / "answers.tex").read_text()
