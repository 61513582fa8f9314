"""The types of the web interface's client are those of the OpenAPI document."""

import runpy
from pathlib import Path

UI = Path(__file__).parents[3] / "ui"


def test_the_types_of_the_web_interface_are_made_of_the_present_openapi_document():
    made = runpy.run_path(str(UI / "api_types.py"))["modules"]()
    written = {path.name: path.read_text() for path in (UI / "src/lib/api_types").iterdir()}
    assert written == made, "run `make ui-types`"
    assert max(text.count("\n") for text in made.values()) < 400
