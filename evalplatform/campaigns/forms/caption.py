"""One image and a text: a person writes what it shows. The text is the answer; it grades nothing.

The database holds the same of a text as this does, word by word: a test holds both together
(`annotation/sql/grades.sql`).
"""

import re
from dataclasses import dataclass

from evalplatform.campaigns.forms.base import Form, Grades
from evalplatform.core.errors import BadInputError

LONGEST_CAPTION = 1000  # characters
_QUOTED = 40
# Control characters, line ends among them; what turns the direction of text round, so that it reads
# otherwise than it is stored; and marks of annotations that no font shows.
FORBIDDEN = (
    "\\u0000-\\u001F\\u007F-\\u009F\\u2028\\u2029\\u202A-\\u202E\\u2066-\\u2069\\uFFF9-\\uFFFB"
)
_FORBIDDEN = re.compile(f"[{FORBIDDEN}]")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class CaptionForm(Form):
    """A text of 1 to 1,000 characters on one line. Its grade is 0 whatever it says."""

    def check(self, answer: str, n: int) -> None:
        """Raise `BadInputError` for a text that is empty, too long or cannot be shown as it is."""
        if not answer.strip(" "):
            raise BadInputError("the caption is empty; write what the image shows.")
        if len(answer) > LONGEST_CAPTION:
            raise BadInputError(
                f"the caption has {len(answer):,} characters; at most {LONGEST_CAPTION:,} are "
                "accepted, so say it in fewer."
            )
        wrong = _FORBIDDEN.search(answer)
        if wrong:
            raise BadInputError(
                f"the caption holds the control character U+{ord(wrong[0]):04X}; write it on one "
                "line, without signs that cannot be seen."
            )
        if answer != answer.strip(" "):
            raise BadInputError("the caption begins or ends with a space; send it without.")

    def fault_beside(self, answer: str, prompt: str) -> str | None:
        """Return what is wrong with a text all of whose words came with the image."""
        if not words_of(answer) <= words_of(prompt):
            return None
        return (
            f"{answer[:_QUOTED]!r} has no word that did not come with the image; describe more of "
            "what you see."
        )

    @property
    def is_written(self) -> bool:
        """Its answer is a text."""
        return True

    def grades_by_position(self, answer: str, n: int) -> Grades:
        """Return 0: a caption says what an image shows, not how good it is."""
        return (0,) * n


def words_of(text: str) -> set[str]:
    """Return the words of a text, whatever their case."""
    return set(_WORD.findall(text.casefold()))


CAPTION = CaptionForm("caption", "write what it shows", 1, 1, ())
