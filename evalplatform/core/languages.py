"""In which language a page is written: annotators' pages in theirs, all others in English."""

from collections.abc import Sequence

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation.trans_real import parse_accept_lang_header

from evalplatform.core.error_pages import wants_json

ANNOTATORS = "/annotate/"  # the prefix of their pages


class LanguageMiddleware(MiddlewareMixin):
    """Speak the language that an annotator chose, or else that their browser asks for.

    Researchers' pages are English, with numbers as figures and files have them: a decimal comma
    there would be read as something else.
    """

    def process_request(self, request: HttpRequest) -> None:
        translation.activate(_wanted(request))

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if request.path_info.startswith(ANNOTATORS) and _is_text(response):
            patch_vary_headers(response, ("Accept-Language",))
            response.headers.setdefault("Content-Language", translation.get_language() or "en")
        return response


def _wanted(request: HttpRequest) -> str:
    if not request.path_info.startswith(ANNOTATORS):
        return settings.LANGUAGE_CODE
    if wants_json(request):  # the script of a page, which asks for the language of that page
        spoken = _first_spoken(request, [code for code, _ in settings.LANGUAGES])
        return spoken or settings.LANGUAGE_CODE
    return translation.get_language_from_request(request)


def _first_spoken(request: HttpRequest, offered: Sequence[str]) -> str | None:
    """Return what the browser likes best of these, by `Accept-Language`."""
    for asked, _ in parse_accept_lang_header(request.headers.get("Accept-Language", "")):
        try:
            code = translation.get_supported_language_variant(asked)
        except LookupError:
            continue
        if code in offered:
            return code
    return None


def _is_text(response: HttpResponseBase) -> bool:
    return response.headers.get("Content-Type", "").startswith(("text/html", "application/json"))


def speak_one_of(request: HttpRequest, offered: Sequence[str]) -> None:
    """Speak one of these languages: the one spoken already, one the browser asks for, the first.

    An empty list offers all.
    """
    if not offered or translation.get_language() in offered:
        return
    translation.activate(_first_spoken(request, offered) or offered[0])
