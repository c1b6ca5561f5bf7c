"""JSON Schemas of ``config.yaml`` and of a flow's file, for editors that complete and check YAML.

``python -m pbx.config.schema`` writes them to ``docs/schema``; a test keeps them in step.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from pbx.config.flowfile import FlowFile
from pbx.config.models import Config
from pbx.flows.steps import STEPS

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = Path("docs/schema")


def config_schema() -> dict[str, Any]:
    """The schema of ``config.yaml``."""
    schema = {"$schema": _DIALECT, **Config.model_json_schema(), "title": "Dialtrace: config.yaml"}
    return dict(_with_words(schema))


def flow_schema() -> dict[str, Any]:
    """The schema of a file in ``ivr_flows``: a step is one of those in ``STEPS``."""
    refs, definitions = models_json_schema([(step, "validation") for step in STEPS.values()])
    defs = definitions["$defs"]
    for kind, step in STEPS.items():
        ref = refs[(step, "validation")]["$ref"]
        # The key that names the step is what makes it one, even where its value may be left out.
        schema = defs[ref.rpartition("/")[2]]
        schema["required"] = sorted({kind, *schema.get("required", ())})
    frame = FlowFile.model_json_schema()
    frame["properties"]["steps"]["additionalProperties"] = {"anyOf": [dict(ref) for ref in refs.values()]}
    schema = {"$schema": _DIALECT, **frame, "title": "Dialtrace: a call flow", "$defs": defs}
    return dict(_with_words(schema))


def _with_words(schema: Any) -> Any:
    """YAML 1.2 reads ``yes`` as a word; where a truth value is meant, the loader takes it for one."""
    if isinstance(schema, list):
        return [_with_words(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    fields = {key: _with_words(value) for key, value in schema.items()}
    if fields.get("type") == "boolean":
        del fields["type"]
        fields["enum"] = [True, False, "yes", "no", "on", "off"]
    return fields


def files() -> dict[str, str]:
    """Every schema's file name and text."""
    schemas = {"config.schema.json": config_schema(), "flow.schema.json": flow_schema()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def main(folder: Path = FOLDER) -> None:
    """Write them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")
        print(folder / name)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
