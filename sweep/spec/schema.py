"""The JSON schema of a config, from which editors offer keys, values and descriptions."""

from __future__ import annotations

from typing import Any

from sweep.spec.fields import trial_fields
from sweep.spec.search import is_searchable
from sweep.spec.sweep import SweepConfig
from trainables.builtin import MODELS, TASKS
from trainables.config import TrialConfig

_REF = "#/$defs/{model}"


def schema() -> dict[str, Any]:
    """JSON schema of a sweep config, whose base may be any part of a trial config."""
    sweep = SweepConfig.model_json_schema(ref_template=_REF)
    trial = TrialConfig.model_json_schema(ref_template=_REF)
    parts: dict[str, Any] = {**trial.pop("$defs"), "TrialConfig": trial}
    for part in parts.values():
        # An axis, a part sweep or a profile may set what the base leaves out.
        part.pop("required", None)
    fields: dict[str, Any] = trial["properties"]
    fields["model"] = {"anyOf": [{"enum": list(MODELS)}, fields["model"]]}
    fields["task"] = {"anyOf": [{"enum": list(TASKS)}, fields["task"]]}
    axes = {
        "type": "object",
        "properties": {path: {"type": "array", "minItems": 1, "items": _items(path, parts)} for path in trial_fields()},
    }
    parts |= sweep.pop("$defs")
    searched = {path: {"$ref": "#/$defs/Span"} for path in trial_fields() if is_searchable(path)}
    parts["Search"]["properties"]["fields"] |= {"properties": searched}
    for owner in (sweep, parts["PartSweep"]):
        owner["properties"]["base"] |= {"$ref": "#/$defs/TrialConfig"}
        owner["properties"]["axes"] |= axes
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **sweep, "$defs": parts}


def _items(path: str, parts: dict[str, Any]) -> dict[str, Any]:
    """The schema of the values of the field at the path; any value is allowed below a union."""
    schema: dict[str, Any] = parts["TrialConfig"]
    for key in path.split("."):
        if "$ref" in schema:
            schema = parts[schema["$ref"].rpartition("/")[2]]
        schema = schema.get("properties", {}).get(key, {})
    return schema
