r"""Other people's text as LaTeX shows it, with any engine and whatever stands in it.

The output is ASCII. Letters with accents become LaTeX's own; what pdfLaTeX has no letter for
becomes `\evalchar{4E2D}`, which the preamble defines: XeLaTeX and LuaLaTeX set the character where
their font has it, every engine else prints its code, [U+4E2D]: nothing vanishes, nothing fails.
"""

from __future__ import annotations

import unicodedata

PREAMBLE = r"""\ifdefined\XeTeXversion\def\evalhasfonts{}\fi
\ifdefined\directlua\def\evalhasfonts{}\fi
\ifdefined\evalhasfonts
  \newcommand{\evalchar}[1]{\iffontchar\font"#1 \char"#1 \else[U+#1]\fi}
\else
  \newcommand{\evalchar}[1]{[U+#1]}
\fi"""
_SPECIALS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    # Two in a row would be joined to a dash.
    "-": "-{}",
    # At the beginning of a row of a table these are read as its options.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
}
_KNOWN = {
    "–": "--",
    "—": "---",
    "−": r"\ensuremath{-}",
    "×": r"\ensuremath{\times}",
    "±": r"\ensuremath{\pm}",
    "≥": r"\ensuremath{\ge}",
    "≤": r"\ensuremath{\le}",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "…": r"\ldots{}",
    "·": r"\textperiodcentered{}",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "å": r"\aa{}",
    "Å": r"\AA{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    "\u00a0": "~",
}
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
    "\u0328": "k",
}


def latex(text: object) -> str:
    """Return text to be set as it is; white space becomes single spaces."""
    plain = " ".join(unicodedata.normalize("NFC", str(text)).split())
    return "".join(map(_character, plain))


def number(value: float | None, digits: int = 1, *, sign: bool = False) -> str:
    """Return a number in math mode, or a dash where there is none."""
    if value is None:
        return "--"
    shown = f"{value:{'+' if sign else ''},.{digits}f}"
    return f"${shown.replace(',', '{,}')}$"


def percent(value: float | None, *, sign: bool = False) -> str:
    """Return a share in [0, 1] as per cent with one digit."""
    return number(None if value is None else 100 * value, sign=sign)


def bounds(
    low: float | None, high: float | None, scale: float, digits: int, *, sign: bool = True
) -> str:
    """Return an interval, or nothing where there is none."""
    if low is None or high is None:
        return ""
    low, high = scale * low, scale * high
    plus = "+" if sign else ""
    return f"$[{low:{plus}.{digits}f}, {high:{plus}.{digits}f}]$"


def _character(character: str) -> str:
    if character in _SPECIALS:
        return _SPECIALS[character]
    if " " <= character <= "~":
        return character
    if character in _KNOWN:
        return _KNOWN[character]
    letter, *marks = list(unicodedata.normalize("NFD", character))
    if len(marks) == 1 and letter.isascii() and letter.isalpha() and marks[0] in _ACCENTS:
        return _accented(letter, marks[0])
    return rf"\evalchar{{{ord(character):04X}}}"


def _accented(letter: str, mark: str) -> str:
    # The dot of i and j goes where an accent stands above.
    below = mark in ("\u0327", "\u0328")
    stem = f"\\{letter}" if letter in "ij" and not below else letter
    return f"\\{_ACCENTS[mark]}{{{stem}}}"
