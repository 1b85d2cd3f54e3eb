"""The fields of somebody else's config.json: read one by one, each complaint a line that names file and field."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linnet.core.errors import BadInput


class Fields:
    """The fields of one config.json; each complaint is one line that names the file and the field."""

    def __init__(self, values: Any, where: Path):
        self.where = where
        if not isinstance(values, Mapping):
            raise BadInput(f"{where}: an object of fields was expected, not {type(values).__name__}")
        self.values: Mapping[str, Any] = values

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field, or the default where it is absent."""
        return self.values.get(name, default)

    def need(self, name: str) -> Any:
        """Return a field; raises BadInput where it is absent or null."""
        if self.values.get(name) is None:
            raise BadInput(f"{self.where}: has no field {name}")
        return self.values[name]

    def count(self, name: str, default: int, most: int = sys.maxsize) -> int:
        """Return a field that is a whole number from 0 to `most`; the default where it is absent or null."""
        value = default if self.get(name) is None else self.get(name)
        if not isinstance(value, int) or value < 0:
            raise BadInput(f"{self.where}: {name} = {value!r} is not a whole number")
        if value > most:
            raise BadInput(f"{self.where}: {name} = {value} is more than {most}, the most that there may be here")
        return value

    def only(self, name: str, *allowed: Any, default: Any = None) -> Any:
        """Return a field that has one of the values we can express (the default where absent); raises BadInput."""
        value = self.get(name, default)
        if value not in allowed:
            choices = ", ".join(map(repr, allowed))
            raise BadInput(f"{self.where}: {name} = {value!r} cannot be expressed here, only {choices}")
        return value
