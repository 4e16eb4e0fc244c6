"""Every form by its name. A new one is a file beside this, a line here and a script for its page.

Its page is `templates/annotation/forms/NAME.html` (and `NAME_how.html` for the welcome page) and
`static/js/annotate/forms/NAME.js`; the database's own grades are a branch of
`annotation/sql/grades.sql`.
"""

from evalplatform.campaigns.forms.base import Form
from evalplatform.campaigns.forms.caption import CAPTION
from evalplatform.campaigns.forms.pair import PAIR, PAIR_BOTH_NEITHER
from evalplatform.campaigns.forms.ranking import RANKING
from evalplatform.campaigns.forms.single import APPROVE, KEEP_REJECT, RATING
from evalplatform.core.errors import BadInputError

FORMS: dict[str, Form] = {
    form.name: form
    for form in (PAIR, PAIR_BOTH_NEITHER, RANKING, RATING, KEEP_REJECT, CAPTION, APPROVE)
}


def form_named(name: str) -> Form:
    """Return a form. Raises `BadInputError` listing those there are."""
    if name not in FORMS:
        raise BadInputError(f"no form {name!r}; accepted are {', '.join(FORMS)}.")
    return FORMS[name]
