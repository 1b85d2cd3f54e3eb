"""Fields of somebody else's config.json: each complaint names the file and the field."""

from pathlib import Path

import pytest

from linnet.core.errors import BadInput
from linnet.export.fields import Fields

WHERE = Path("their/config.json")


def test_fields_are_read_with_their_defaults():
    fields = Fields({"layers": 3, "kind": "a", "none": None}, WHERE)
    assert (fields.get("layers"), fields.get("more"), fields.get("more", 2)) == (3, None, 2)
    assert (fields.count("layers", 9), fields.count("none", 9), fields.need("kind")) == (3, 9, "a")
    assert (fields.only("kind", "a", "b"), fields.only("more", 1, default=1)) == ("a", 1)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda fields: fields.need("more"), "has no field more"),
        (lambda fields: fields.need("none"), "has no field none"),
        (lambda fields: fields.count("kind", 1), "kind = 'a' is not a whole number"),
        (lambda fields: fields.count("minus", 1), "minus = -1 is not a whole number"),
        (lambda fields: fields.only("kind", "b", "c"), "kind = 'a' cannot be expressed here, only 'b', 'c'"),
        (lambda _: Fields([1], WHERE), "an object of fields was expected, not list"),
    ],
)
def test_complaints_are_one_line_with_file_and_field(ask, words):
    with pytest.raises(BadInput) as caught:
        ask(Fields({"kind": "a", "none": None, "minus": -1}, WHERE))
    assert str(caught.value) == f"their/config.json: {words}"
