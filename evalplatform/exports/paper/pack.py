"""The paper pack: what goes into a paper of a campaign, to be included or compiled as it is."""

from __future__ import annotations

import json
from pathlib import Path

from evalplatform.core.files import write_whole
from evalplatform.exports.documents.data import write_protocol
from evalplatform.exports.documents.statements import consent
from evalplatform.exports.paper.bibliography import bibliography
from evalplatform.exports.paper.checklist import as_latex, as_markdown, checklist
from evalplatform.exports.paper.figures import figures
from evalplatform.exports.paper.latex import PREAMBLE, latex
from evalplatform.exports.paper.tables import legend, tables
from evalplatform.exports.paper.wording import LatexWording
from evalplatform.exports.told import Told
from evalplatform.reports.answers import answers
from evalplatform.reports.exports import results_json
from evalplatform.reports.methods import methods
from evalplatform.reports.result_types import CampaignResults
from evalplatform.reports.results import campaign_results

_CAPTIONS = {
    "net": "Net preference for A over B with its {level} interval.",
    "win-tie-lose": "Votes for A, ties, and votes for B.",
    "categories": "Net preference for A over B by group of prompts, with its {level} interval: "
    "exploratory.",
    "strengths": "Strengths of the arms with their {level} intervals.",
    "grades": "Mean grades of the arms with their {level} intervals.",
}
_READ_ME = """# Paper pack

`main.tex` compiles as it is: `latexmk -pdf main.tex` (pdfLaTeX, XeLaTeX and LuaLaTeX do).
In a paper of yours `\\input` the parts:

- `preamble.tex` before `\\begin{document}`; packages: booktabs, longtable, graphicx.
- `methods.tex`: the methods paragraph, generated from the frozen protocol.
- `answers.tex`: the answer of each criterion in words, as the dashboard says it.
- `tables/*.tex`: the numbers of `results.json`, no digit set by hand.
- `figures/*.pdf`, the same as `*.svg`.
- `checklist.tex`, `checklist.md`: what is **missing** only you can say.
- `references.bib`

`protocol.json` is the frozen protocol: its SHA-256 is the hash that the paper prints. Votes, and
all numbers computed from them again: `manage.py export CAMPAIGN --as parquet`, `manage.py replay`.
"""


def write_paper(told: Told) -> None:
    """Write the pack into the export's folder."""
    results = campaign_results(told.campaign)
    folder, parts = told.folder, tables(results)
    drawn = figures(results)
    for name, content in parts.items():
        write_whole(folder / "tables" / f"{name}.tex", content)
    for name, picture in drawn.items():
        write_whole(folder / "figures" / name, picture)
    replies = checklist(results, consent=consent(told), licence=told.options.licence)
    _write(folder, "preamble.tex", PREAMBLE)
    _write(folder, "methods.tex", methods(results, LatexWording()))
    _write(folder, "answers.tex", answers_as_latex(results))
    _write(folder, "checklist.tex", as_latex(replies))
    _write(folder, "checklist.md", as_markdown(replies))
    _write(folder, "references.bib", bibliography(told))
    _write(folder, "main.tex", _main(results, list(parts), list(drawn)))
    _write(folder, "README.md", _READ_ME + "".join(f"\n**{each}**\n" for each in told.marks.notes))
    numbers = json.dumps(results_json(results), indent=2, ensure_ascii=False)
    _write(folder, "results.json", numbers + "\n")
    write_protocol(told)


def _write(folder: Path, name: str, content: str) -> None:
    write_whole(folder / name, content)


def _main(results: CampaignResults, parts: list[str], drawn: list[str]) -> str:
    notes = [each for each in (results.simulated_stamp, results.imported_stamp) if each]
    box = r"\par\medskip\noindent\fbox{\parbox{.97\linewidth}{%s}}"
    stamp = "\n".join(box % latex(each) for each in notes)
    pictures = [each.removesuffix(".pdf") for each in drawn if each.endswith(".pdf")]
    return "\n".join([
        r"\documentclass[10pt]{article}",
        r"\usepackage[margin=2.2cm]{geometry}",
        r"\usepackage{textcomp,booktabs,longtable,graphicx}",
        r"\input{preamble}",
        r"\ifdefined\evalhasfonts\usepackage{fontspec}\else\usepackage[T1]{fontenc}\fi",
        rf"\title{{Human evaluation: {latex(results.campaign.slug)}}}",
        r"\author{}", rf"\date{{{results.made_at.date().isoformat()}}}",
        r"\setlength{\belowcaptionskip}{6pt}",
        # A hash cannot be broken at a line's end: its line may be looser instead.
        r"\tolerance=1000\setlength{\emergencystretch}{3em}",
        r"\begin{document}", r"\maketitle", stamp,
        r"\section{Methods}", r"\input{methods}",
        r"\section{Results}", *_said(results, parts),
        *(rf"\input{{tables/{each}}}" for each in parts),
        *(_figure(results, each) for each in pictures),
        r"\clearpage", r"\section{Reporting checklist}",
        r"The items follow the recommendations of Otani et al.~\cite{otani2023toward}.",
        r"\input{checklist}",
        r"\bibliographystyle{plain}", r"\bibliography{references}", r"\end{document}", "",
    ])  # fmt: skip


def _said(results: CampaignResults, parts: list[str]) -> list[str]:
    if not parts:
        return ["No vote counts yet, so there is no table."]
    early = [] if results.completeness.is_complete else [
        "Not all votes are in: what stands here is no final result."
    ]  # fmt: skip
    return [*early, r"\input{answers}"]


def answers_as_latex(results: CampaignResults) -> str:
    """Return the answer of each criterion, a paragraph each: the sentences of results.json."""
    return "".join(
        rf"\paragraph{{{latex(each.criterion_label)}.}} {latex(each.sentence)}" "\n\n"
        for each in answers(results)
    )


def _figure(results: CampaignResults, name: str) -> str:
    caption = _CAPTIONS[name].format(level=rf"{100 * results.level:g}\,\%")
    return "\n".join([
        r"\begin{figure}[htbp]", r"\centering", rf"\includegraphics{{figures/{name}}}",
        rf"\caption{{{caption} {legend(results)}}}", rf"\label{{fig:{name}}}", r"\end{figure}",
    ])  # fmt: skip
