"""The API put together from its routes."""

from ninja import NinjaAPI

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

api = NinjaAPI(
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
