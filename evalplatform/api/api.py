"""The API put together from its routes."""

from ninja import NinjaAPI
from ninja.errors import ValidationError, ValidationErrorContext

from evalplatform.api.refusals import StrictParser, add_refusals
from evalplatform.api.routes import (
    campaigns,
    captions,
    checkpoints,
    collections,
    exports,
    feedback,
    flows,
    generation,
    gold,
    image_imports,
    jobs,
    log_builds,
    pay,
    people,
    planning,
    pools,
    projects,
    prompt_sets,
    scoring,
    standings,
    tokens,
    vote_imports,
    webhooks,
)

VERSION = "1"
_ABOUT = """What the pages and commands of this site do, for scripts.

Send `Authorization: Bearer TOKEN`, with a token of the account's page. A route names the scope it
needs; the token's owner needs the role in the project besides. Errors are problem details
(RFC 9457) with a stable `code`. Lists come in pages: send `next` as `cursor`. A POST that creates
takes an `Idempotency-Key`, and a PATCH an `If-Match`.
"""


class SpokenAPI(NinjaAPI):
    """Keeps of each wrong field what was given, so that a refusal can name it."""

    def validation_error_from_error_contexts(
        self, error_contexts: list[ValidationErrorContext]
    ) -> ValidationError:
        found = super().validation_error_from_error_contexts(error_contexts)
        given = [
            each["input"]
            for context in error_contexts
            for each in context.pydantic_validation_error.errors(include_url=False)
        ]
        for error, wrong in zip(found.errors, given, strict=True):
            error["given"] = wrong
        return found


api = SpokenAPI(
    title="Evaluation platform",
    version=VERSION,
    description=_ABOUT,
    openapi_url="",
    docs_url=None,
    urls_namespace="api",
    parser=StrictParser(),
)
add_refusals(api)
for _part in (
    projects,
    tokens,
    checkpoints,
    jobs,
    prompt_sets,
    log_builds,
    collections,
    image_imports,
    planning,
    campaigns,
    gold,
    vote_imports,
    standings,
    exports,
    feedback,
    flows,
    pools,
    captions,
    scoring,
    pay,
    people,
    generation,
    webhooks,
):
    api.add_router("", _part.routes)
