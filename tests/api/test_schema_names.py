"""The schema has one name space: of two classes of one name it would publish one for both."""

from collections import Counter

from ninja import Schema

from evalplatform.api import api  # noqa: F401  all routes, and with them their classes


def test_no_two_classes_of_the_schema_have_one_name():
    ours = {each for each in _below(Schema) if each.__module__.startswith("evalplatform.")}
    assert len(ours) > 50
    names = Counter(each.__name__ for each in ours)
    assert [name for name, count in names.items() if count > 1] == []


def _below(cls: type) -> set[type]:
    found = {cls}
    for each in cls.__subclasses__():
        found |= _below(each)
    return found
