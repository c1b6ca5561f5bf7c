"""``data.0.id``: a place in a JSON document, as an admin writes it in a mapping."""

from typing import Any


def found_at(data: Any, place: str) -> Any:
    """What stands there, None if nothing does."""
    for part in place.split("."):
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and part.isdigit() and int(part) < len(data):
            data = data[int(part)]
        else:
            return None
    return data
