"""Schemas lose words, never meaning."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from shim_mcp.schemas import compact


class Inner(BaseModel):
    title: str
    notes: list[str] | None = None


class Outer(BaseModel):
    name: str | None = Field(None, min_length=2, description="A name.")
    count: int = 3
    either: int | str | None = None
    inner: Inner | None = None
    several: list[Inner] = []


def test_drops_titles_and_nulls_and_keeps_the_rest() -> None:
    assert compact(Outer.model_json_schema()) == {
        "type": "object",
        "$defs": {
            "Inner": {
                "type": "object",
                "properties": {
                    "title": {"type": "string"},
                    "notes": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["title"],
            }
        },
        "properties": {
            "name": {"type": "string", "minLength": 2, "description": "A name."},
            "count": {"type": "integer", "default": 3},
            "either": {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]},
            "inner": {"$ref": "#/$defs/Inner"},
            "several": {"type": "array", "items": {"$ref": "#/$defs/Inner"}, "default": []},
        },
    }


names = st.sampled_from(["title", "default", "anyOf", "a", "b"])
leaves: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{"type": "string"}, {"type": "integer", "minimum": 0}, {"$ref": "#/$defs/A"}]
)
schemas: st.SearchStrategy[dict[str, Any]] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda item: {"type": "array", "items": item, "title": "T"}, inner),
        st.builds(lambda item: {"anyOf": [item, {"type": "null"}], "default": None, "title": "T"}, inner),
        st.builds(
            lambda fields: {"type": "object", "properties": fields, "title": "T"},
            st.dictionaries(names, inner, max_size=3),
        ),
    ),
    max_leaves=8,
)


@given(schemas)
def test_once_is_enough_and_every_field_is_kept(schema: dict[str, Any]) -> None:
    small = compact(schema)
    assert compact(small) == small
    assert fields(small) == fields(schema)


def fields(schema: object) -> list[str]:
    """Every property's name, wherever it is."""
    if isinstance(schema, list):
        return sorted(name for item in schema for name in fields(item))
    if not isinstance(schema, dict):
        return []
    own = schema.get("properties", {}) if isinstance(schema.get("properties"), dict) else {}
    below = [fields(value) for value in own.values()]
    below += [fields(value) for key, value in schema.items() if key in {"items", "anyOf"}]
    return sorted([*own, *(name for names in below for name in names)])
