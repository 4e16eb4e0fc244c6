"""How a case of the matrix is written: one request, and what everybody is answered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.permissions.world import World

Args = Callable[[World], list[Any]]


@dataclass(frozen=True)
class Case:
    """One request and what it is answered to each of `PEOPLE`, in their order."""

    route: str
    method: str
    people: str
    args: Args = lambda world: []
    query: str = ""
    body: Callable[[World], Any] = lambda world: {}
    headers: dict[str, str] = field(default_factory=dict)
    changes: frozenset[str] = frozenset()
    tokens: str = ""  # to each of TOKENS; nothing: tokens do not count there
    scope: str = ""  # of the API: what a token needs

    def __str__(self) -> str:
        return f"{self.method} {self.route}{self.query}"


def case(method: str, route: str, people: str, *args: str, **more: Any) -> Case:
    """A case whose address names rows of the world: "open.slug", or a plain value."""
    changes = frozenset(more.pop("changes", "").split())
    return Case(
        route, method, people, lambda world: [value(world, each) for each in args],
        changes=changes, **more,
    )  # fmt: skip


def value(world: World, path: str) -> Any:
    """Return what "open.slug" names in the world; what names nothing is a plain value."""
    name, _, attribute = path.partition(".")
    row = world.users.get(name[1:]) if name.startswith("@") else world.rows.get(name)
    return getattr(row, attribute) if row is not None and attribute else path


def post(**fields: str) -> Callable[[World], dict[str, Any]]:
    """A form whose values may name rows of the world."""
    return lambda world: {name: value(world, each) for name, each in fields.items()}
