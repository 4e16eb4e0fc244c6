"""The sentences of reports, set in LaTeX."""

from evalplatform.exports.paper.latex import latex
from evalplatform.reports.methods import PlainWording


class LatexWording(PlainWording):
    """Sentences as LaTeX, with citations of references.bib."""

    gap = r"\,"
    alpha = r"$\alpha$"

    def text(self, said: object) -> str:
        return latex(said)

    def digest(self, sha256: str) -> str:
        return rf"SHA-256 \texttt{{{sha256[:12]}}}\ldots{{}}"

    def emphasis(self, said: str) -> str:
        return rf"\emph{{{latex(said)}}}"

    def strong(self, said: str) -> str:
        return rf"\textbf{{{latex(said)}}}"

    def quoted(self, said: str) -> str:
        return f"``{latex(said)}''"

    def equation(self, said: str) -> str:
        return f"${said}$"

    def percent(self, value: float) -> str:
        return rf"{value:g}{self.gap}\%"

    def cited(self, what: str, *works: str) -> str:
        return rf"{what}~\cite{{{','.join(works)}}}"
