"""Values that people write in Python too: what is wrong with one is told as of any other argument."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from prunebench.errors import UsageError

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)

__all__ = ["Value"]


class _Told(ModelMetaclass):
    """Calling a class raises UsageError for what its fields do not take; `model_validate` pydantic's own."""

    def __call__(cls, *args: Any, **given: Any) -> Any:
        made: Any = cls
        if args:
            first = next(iter(made.model_fields))
            told = (
                f"found {args[0]!r:.80} without a name; allowed: fields by name, as {cls.__name__}({first}=…)"
            )
            raise UsageError(f"{cls.__name__}: {told}")
        try:
            return super().__call__(**given)
        except ValidationError as error:
            wrong = made.told(error, given)
            lines = [f"{'.'.join(filter(None, (cls.__name__, place)))}: {text}" for place, text in wrong]
            raise UsageError("; ".join(lines)) from None


class Value(BaseModel, metaclass=_Told):
    """A value of several fields, which are validated.

    Raises: UsageError where it is made of what its fields do not take.
    """

    @classmethod
    def told(cls, error: ValidationError, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield the fields that are wrong of what was given, and what is wrong with each.

        Of a field that takes one of several kinds pydantic has an error for each kind; the first one is told.
        "" stands for what does not go together.
        """
        seen = set()
        for one in error.errors(include_url=False):
            place = str(one["loc"][0]) if one["loc"] else ""
            if place in seen:
                continue
            seen.add(place)
            text = one["msg"].removeprefix("Value error, ")
            plain = one["type"] in ("value_error", "missing", "extra_forbidden")
            yield place, text if plain else f"found {given.get(place)!r:.80}; {text[:1].lower()}{text[1:]}"
