"""Personal data in a prompt: found by stated rules, so that the line can be left out.

Rules and no model: they are the same for everybody, run at ten thousand lines a second, and say
what they found. They miss what has no shape, above all bare names: see docs/prompts.md.
"""

import re
from collections.abc import Callable
from ipaddress import ip_address

_SUFFIXES = (
    "street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|place|square|highway|hwy"
)
_RELATIONS = (
    "wife|husband|girlfriend|boyfriend|fianc[eé]e?|son|daughter|mother|mom|mum|father|dad|brother|"
    "sister|friend|boss|teacher|colleague|neighbou?r|grandmother|grandfather|uncle|aunt"
)
# Some own names: a first and a family name, both with capitals.
_NAME = r"[A-ZÀ-Þ][\w'’\-]+"
_DIGITS = re.compile(r"\d(?:[ \-.]?\d){12,18}(?!\d)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_QUAD = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
_PHONE = re.compile(r"(?<![\w.])(?:\+|00)\d[\d ()\-./]{6,20}\d(?!\w)")
_LOCAL = re.compile(r"(?<![\w.])\(?\d{2,4}\)?[ \-./]\d{3,4}[ \-./]?\d{3,5}(?!\w)")
_CALL = re.compile(
    r"\b(?:call|phone|tel|telephone|mobile|cell|whatsapp|text me|fax)\b.{0,24}\d{6,}", re.I
)

_DIGIT = re.compile(r"\d")
# What each needs somewhere, which is quick to look for, and its pattern.
_PATTERNS: dict[str, tuple[re.Pattern[str], re.Pattern[str]]] = {
    "e-mail": (
        re.compile(r"[@(\[]"),
        re.compile(r"[\w.+\-]+\s?(?:@|\(at\)|\[at\])\s?[\w\-]+(?:\.[\w\-]+)+", re.I),
    ),
    "web address": (
        re.compile(r"[./]"),
        re.compile(
            r"\b(?:https?|ftp)://|\bwww\.[\w\-]+\.|\b[\w\-]+\.(?:com|org|net|io|gg|co|me|ru|de|app)\b(?:/|\b)",
            re.I,
        ),
    ),
    "handle": (
        re.compile(r"[@<#]"),
        re.compile(r"(?<![\w@])@[A-Za-z_][\w.]{1,}|<[@#]!?\d{5,}>|\b\w{2,32}#\d{4}\b"),
    ),
    "national number": (_DIGIT, re.compile(r"(?<![\d\-])\d{3}-\d{2}-\d{4}(?![\d\-])")),
    "address": (
        _DIGIT,
        re.compile(
            rf"\b\d{{1,5}}[a-z]?,?\s+(?:{_NAME}\s+){{1,3}}(?i:{_SUFFIXES})\b\.?"
            r"|\b(?i:\w+(?:stra(?:ß|ss)e|str\.))\s+\d{1,4}[a-z]?\b|\bP\.?O\.?\s+(?i:box)\s+\d+"
        ),
    ),
}
# The rule of names: somebody is named by a title, as oneself, or as somebody's relation.
_NAMED = re.compile(
    rf"\b(?:Mr|Mrs|Ms|Mister|Missus)\.?\s+{_NAME}"
    rf"|\b[Mm]y name is\s+\w+|\bI am {_NAME}\s+{_NAME}|\bnamed {_NAME}\s+{_NAME}"
    rf"|\b[Mm]y (?:{_RELATIONS}),? {_NAME}"
)
_OF_NAMED = ("Mr", "Ms", "Mis", "named ", "I am ", "my ", "My ")  # each match holds one of them


def personal_data(text: str) -> str | None:
    """Return what kind of personal data a text holds, the first found; None for none."""
    for kind, (letters, pattern) in _PATTERNS.items():
        if letters.search(text) and pattern.search(text):
            return kind
    if _has_digits(text, 6):
        for kind, finds in _NUMBERS.items():
            if finds(text):
                return kind
    if any(each in text for each in _OF_NAMED) and _NAMED.search(text):
        return "name"
    return None


def _has_digits(text: str, least: int) -> bool:
    return bool(_DIGIT.search(text)) and sum(map(str.isdigit, text)) >= least


def _card(text: str) -> bool:
    numbers = (re.sub(r"\D", "", found) for found in _DIGITS.findall(text))
    return any(len(set(each)) > 1 and _luhn(each) for each in numbers)


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1's check digit."""
    doubled = [int(each) * (1 + at % 2) for at, each in enumerate(reversed(digits))]
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0


def _iban(text: str) -> bool:
    """ISO 13616: the number, its first four letters moved to its end, is 1 modulo 97."""
    for found in _IBAN.findall(text):
        plain = found.replace(" ", "")
        if len(plain) >= 15:
            moved = plain[4:] + plain[:4]
            if int("".join(str(int(each, 36)) for each in moved)) % 97 == 1:
                return True
    return False


def _internet_address(text: str) -> bool:
    for found in _QUAD.findall(text):
        try:
            ip_address(found)
        except ValueError:
            continue
        return True
    return False


def _phone(text: str) -> bool:
    return bool(_PHONE.search(text) or _LOCAL.search(text) or _CALL.search(text))


_NUMBERS: dict[str, Callable[[str], bool]] = {
    "card number": _card,
    "bank account": _iban,
    "internet address": _internet_address,
    "phone number": _phone,
}
