"""How a route is declared: its scope, whether it may be sent twice, whether it has an ETag."""

from collections.abc import Callable
from typing import Any

from ninja import Router
from ninja.decorators import decorate_view

from evalplatform.accounts.models import ApiToken
from evalplatform.api.callers import Session, TokenOf
from evalplatform.api.idempotency import HEADER, once

View = Callable[..., Any]
Decorator = Callable[[View], View]
_KEY = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "description": "Sent again with the same body, the request is done once and answered alike.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}
_IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "required": False,
    "description": "The ETag that was read: 412 where somebody changed it since.",
    "schema": {"type": "string", "maxLength": 200, "pattern": "^[ -~]*$"},
}


class Routes(Router):
    """The routes of one kind of thing. An operation is named as its function."""

    def reads(
        self, path: str, answer: Any, *, scope: ApiToken.Scope = ApiToken.Scope.READ, **more: Any
    ) -> Decorator:
        """GET."""
        return self._route("GET", path, {200: answer}, scope, more)

    def makes(
        self, path: str, answer: Any, *, scope: ApiToken.Scope, status: int = 201, **more: Any
    ) -> Decorator:
        """POST that creates something: takes an Idempotency-Key."""
        add = self._route("POST", path, {status: answer}, scope, more, [_KEY])
        return lambda view: add(decorate_view(once)(view))

    def does(self, path: str, answer: Any, *, scope: ApiToken.Scope, **more: Any) -> Decorator:
        """POST that leads to a state, so that sent twice it does no more than once."""
        return self._route("POST", path, {200: answer}, scope, more)

    def changes(self, path: str, answer: Any, *, scope: ApiToken.Scope, **more: Any) -> Decorator:
        """PATCH, which takes If-Match."""
        return self._route("PATCH", path, {200: answer}, scope, more, [_IF_MATCH])

    def puts(self, path: str, answer: Any, *, scope: ApiToken.Scope, **more: Any) -> Decorator:
        """PUT."""
        return self._route("PUT", path, {200: answer}, scope, more)

    def removes(self, path: str, *, scope: ApiToken.Scope, **more: Any) -> Decorator:
        """DELETE, answered without a body."""
        return self._route("DELETE", path, {204: None}, scope, more)

    def _route(
        self,
        method: str,
        path: str,
        answers: dict[int, Any],
        scope: ApiToken.Scope,
        more: dict[str, Any],
        headers: list[dict[str, Any]] | None = None,
    ) -> Decorator:
        extra: dict[str, Any] = {"x-scope": scope.value} | more.pop("openapi_extra", {})
        if headers:
            extra["parameters"] = [dict(each) for each in headers]

        def add(view: View) -> View:
            name = view.__name__
            declare = self.api_operation(
                [method],
                path,
                response=answers,
                auth=[TokenOf(scope), Session()],
                operation_id=name,
                url_name=more.pop("url_name", name),
                openapi_extra=extra,
                **more,
            )
            return declare(view)

        return add
