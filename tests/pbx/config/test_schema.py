"""The JSON Schemas in docs/schema are the code's."""

from pathlib import Path

import pytest

from pbx.config import schema
from pbx.flows.steps import STEPS

FOLDER = Path(__file__).parents[3] / "docs" / "schema"


@pytest.mark.parametrize(("name", "text"), schema.files().items())
def test_schemas_are_in_step(name, text):
    assert (FOLDER / name).read_text(encoding="utf-8") == text, "run: make schema"


def test_writing(tmp_path, capsys):
    schema.main(tmp_path / "schema")
    assert {path.name for path in (tmp_path / "schema").iterdir()} == set(schema.files())
    assert capsys.readouterr().out.count(".schema.json") == 2


def test_every_step_is_in_the_flow_schema():
    flow = schema.flow_schema()
    refs = [
        entry["$ref"].rpartition("/")[2]
        for entry in flow["properties"]["steps"]["additionalProperties"]["anyOf"]
    ]
    for (kind, step), ref in zip(STEPS.items(), refs, strict=True):
        definition = flow["$defs"][ref]
        assert kind in definition["required"]
        assert set(definition["properties"]) == set(step.model_fields)
