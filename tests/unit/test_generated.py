"""What is generated from the code is in step with it."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from scopemill.commands.docs import generate
from scopemill.config import find_recipe, merge, read_config, recipe_folders

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", generate())
def test_generated_files_are_as_the_code_makes_them(path):
    assert (ROOT / path).read_text(encoding="utf-8") == generate()[path], "run: make docs"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "config").rglob("*.yaml")), ids=lambda path: path.stem
)
def test_configs_that_ship_fit_the_schema(path):
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    config = read_config(path)
    if recipe := config.get("recipe"):
        config = merge(read_config(find_recipe(recipe, recipe_folders(path))), config)
    jsonschema.validate({"study": "a-recipe", **config}, schema)


def test_the_schema_refuses_a_typing_error():
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    method = {"name": "otsu", "channel": "DNA", "smoth_um": 1}
    wrong = {"study": "s", "channels": {"DNA": 0}, "segment": {"nuclei": {"method": method}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema)
