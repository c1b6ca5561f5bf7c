"""Data into models, and pydantic's errors into problems that an admin understands.

A part that is wrong does not take the rest along: :func:`build` leaves out what is at fault and
tries again, so that what remains can still be checked against other parts. It never leaves out
silently; whoever gets a model also gets the problems.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from types import NoneType
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from pbx.config.document import Document, Loc, is_secret
from pbx.config.problems import closest, did_you_mean, listed

M = TypeVar("M", bound=BaseModel)

_WANTED = {
    "string_type": "text",
    "string_sub_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "list_type": "a list",
    "tuple_type": "a list",
    "date_type": "a date such as 2026-12-25",
    "date_parsing": "a date such as 2026-12-25",
    "date_from_datetime_parsing": "a date such as 2026-12-25",
    "ip_v4_network": "a network such as 203.0.113.0/24",
    "ip_v6_network": "a network such as 2001:db8::/32",
    "none_required": "nothing",
}
"""What a field wants, by the type of pydantic's error."""


def build(model: type[M], document: Document, loc: Loc = ()) -> M | None:
    """The model of what stands at ``loc``; problems go to the document.

    If parts are at fault, the model of the rest; None if the rest makes none.
    """
    data = document.get(loc)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = error.errors(include_url=False)
    report(model, document, loc, faults)
    return _salvaged(model, data, faults)


def _salvaged(model: type[M], data: Any, faults: Sequence[ErrorDetails]) -> M | None:
    data = deepcopy(data)
    for _ in range(8):  # each round takes out at least one part; what needs more is hopeless
        parts = {part for fault in faults if (part := _deepest(data, fault["loc"]))}
        if not parts:
            return None
        for part in sorted(parts, key=_sortable, reverse=True):  # from the end: indices stay right
            _remove(data, part)
        try:
            return model.model_validate(data)
        except ValidationError as error:
            faults = error.errors(include_url=False)
    return None


def _deepest(data: Any, loc: Loc) -> Loc:
    """The deepest part of ``data`` on the way to ``loc``."""
    found: list[str | int] = []
    for part in loc:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            continue  # a missing key, or the name of a union's member
        found.append(part)
    return tuple(found)


def _sortable(loc: Loc) -> list[str]:
    return [f"{part:09}" if isinstance(part, int) else part for part in loc]


def _remove(data: Any, loc: Loc) -> None:
    for part in loc[:-1]:
        data = data[part]
    del data[loc[-1]]


def report(model: type[BaseModel], document: Document, base: Loc, faults: Sequence[ErrorDetails]) -> None:
    """Every fault as a problem; the members of a union speak as one."""
    by_place: dict[Loc, list[ErrorDetails]] = {}
    for fault in faults:
        by_place.setdefault(document.nearest((*base, *fault["loc"])), []).append(fault)
    for loc, group in by_place.items():
        if _a_member_went_deeper(loc, by_place) and all(fault["type"] in _WANTED for fault in group):
            continue
        for message, at_key, code in _messages(model, document, base, loc, group):
            document.error(loc, message, at_key=at_key, code=code)


def _a_member_went_deeper(loc: Loc, by_place: Mapping[Loc, object]) -> bool:
    """Of a union's members, the one that got as far as a part of the value is the one meant."""
    return any(len(other) > len(loc) and other[: len(loc)] == loc for other in by_place)


def _messages(
    model: type[BaseModel], document: Document, base: Loc, loc: Loc, group: Sequence[ErrorDetails]
) -> list[tuple[str, bool, str]]:
    """Each fault's message, whether it stands at the key, and its code."""
    wanted: list[str] = []
    messages: list[tuple[str, bool, str]] = []
    for fault in group:
        kind = fault["type"]
        if kind in _WANTED:
            wanted.append(_WANTED[kind])
        elif kind == "extra_forbidden":
            known = _keys_of(_model_at(model, loc[len(base) : -1]))
            messages.append(
                (f"unknown key {loc[-1]!r}{did_you_mean(str(loc[-1]), known)}", True, "unknown-key")
            )
        elif kind == "missing":
            messages.append((f"the key {str(fault['loc'][-1])!r} is missing", True, "missing-key"))
        else:
            messages.append((_explained(document, loc, fault), fault["loc"][-1:] == ("[key]",), "value"))
    if wanted:
        messages.append((_wants(document, loc, list(dict.fromkeys(wanted))), False, "value"))
    return list(dict.fromkeys(messages))


def _wants(document: Document, loc: Loc, wanted: list[str]) -> str:
    shown, value = document.shown(loc), document.get(loc)
    if wanted == ["nothing"] and loc:
        return f"{str(loc[-1])!r} has no place here; leave it out"
    message = f"expected {' or '.join(wanted)}, not {shown}"
    if "text" in wanted and value is not None and not isinstance(value, (dict, list)):
        message += (
            "; put it in quotes" if loc and is_secret(str(loc[-1])) else f'; write "{value}", in quotes'
        )
    return message


def _explained(document: Document, loc: Loc, fault: ErrorDetails) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    shown = document.shown(loc)
    if kind in ("literal_error", "enum"):
        choices = _choices(str(context["expected"]))
        close = closest(str(document.get(loc)), choices)
        hint = f"; did you mean {close!r}?" if close else f"; it is one of {listed(choices, 'or')}"
        return f"{shown} is not known here{hint}"
    if kind == "string_pattern_mismatch":
        return f"{shown} is not of the form {context['pattern'].strip('^$')}"
    if kind in ("greater_than_equal", "greater_than", "less_than_equal", "less_than"):
        bound, text = next(iter(context.items()))
        words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
        return f"{shown} is out of range: {words.get(bound, bound)} {text}"
    if kind in ("too_short", "string_too_short"):
        return f"{str(loc[-1])!r} is empty" if loc else "the file is empty"
    if kind == "value_error":
        return _without_the_hidden(document, loc, str(context["error"]))
    return _without_the_hidden(document, loc, f"{shown}: {fault['msg']}")


def _choices(expected: str) -> list[str]:
    """Pydantic's ``"'a', 'b' or 'c'"``."""
    return [
        word.strip(" '") for part in expected.split(" or ") for word in part.split(",") if word.strip(" '")
    ]


def _without_the_hidden(document: Document, loc: Loc, message: str) -> str:
    """A validator's own words, where they quote a value that must not be seen."""
    nearest = document.nearest(loc)
    secret = nearest in document.hidden or (bool(nearest) and is_secret(str(nearest[-1])))
    value = document.get(nearest)
    if not secret or not isinstance(value, str) or not value:
        return message
    return message.replace(repr(value), document.shown(nearest)).replace(value, document.shown(nearest))


# --- what a model would have accepted -----------------------------------------------------------


def _keys_of(model: type[BaseModel] | None) -> list[str]:
    """The keys as they are written in the file."""
    fields = model.model_fields.items() if model else ()
    return [field.alias or name for name, field in fields if field.annotation is not NoneType]


def _model_at(model: type[BaseModel], loc: Loc) -> type[BaseModel] | None:
    """The model that reads what stands at ``loc``: follows fields, and items of dicts and lists."""
    annotation: Any = model
    for part in loc:
        models = _models_in(annotation)
        field: FieldInfo | None = next((f for m in models if (f := _field(m, part))), None)
        if field is not None:
            annotation = field.annotation
        elif not models:
            container = _if_given(annotation)
            annotation = get_args(container)[-1] if get_args(container) else None
    return next(iter(_models_in(annotation)), None)


def _field(model: type[BaseModel], key: str | int) -> FieldInfo | None:
    return next((f for name, f in model.model_fields.items() if key in (name, f.alias)), None)


def _if_given(annotation: Any) -> Any:
    """``list[Match] | None`` is ``list[Match]`` where the key is given."""
    members = [each for each in get_args(annotation) if each is not NoneType]
    is_optional = len(members) == 1 and len(get_args(annotation)) == 2
    return members[0] if is_optional else annotation


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The annotation itself, or the models among the members of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    members = (
        get_args(annotation) if getattr(annotation, "__origin__", None) not in (dict, list, tuple) else ()
    )
    return [m for m in members if isinstance(m, type) and issubclass(m, BaseModel)]
