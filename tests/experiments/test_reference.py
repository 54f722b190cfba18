"""The reference of every config key: none is missing, and what it says of one is what the schema says."""

from typing import Annotated

import pytest
from pydantic import Field

from experiments import reference
from ptuning import registry
from ptuning.config import MixtureConfig, RuntimeConfig, Schema, SourceConfig
from ptuning.heads.token import Token


@pytest.fixture(scope="module")
def page():
    return reference.page()


def row(page, key):
    (line,) = [line for line in page.splitlines() if line.startswith(f"| `{key}` |")]
    return [cell.strip() for cell in line.strip("|").split("|")[1:]]


def test_every_row_of_the_reference_says_what_its_key_means(page):
    lines = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(lines) > 60
    assert not [line for line in lines if not line.strip("|").split("|")[-1].strip()]


@pytest.mark.parametrize(
    ("schema", "prefix"),
    [(MixtureConfig, "task."), (RuntimeConfig, "runtime."), (SourceConfig, "sources.<name>.")],
)
def test_every_key_of_a_schema_has_its_row(page, schema, prefix):
    for name in schema.model_fields:
        assert row(page, f"{prefix}{name}")


@pytest.mark.parametrize(
    ("key", "allowed", "default"),
    [
        ("backbone.revision", "text", "`main`"),
        ("task.cap", "integer or `null`, ≥ 1", "`null`"),
        ("task.tasks", "keys and values", "must be set"),
        ("runtime.keep_steps", "list of `last`, `best` or integer ≥ 1", "`[]`"),
        ("prompt.init.words", "list of text or `null`", "`null`"),
        ("prompt.init.start", "keys and values", "`{name:normal,std:0.02}`"),
        ("sources.<name>.step", "`last`, `best` or integer ≥ 1", "`last`"),
        ("sources.<name>.weight", "number, > 0", "`1`"),
        ("sources.<name>.data", "keys and values", "`{}`"),
        ("sources.<name>.task", "keys and values or `null`", "`null`"),
        ("hydra.launcher.devices", "`auto` or list of text", "`auto`"),
    ],
)  # fmt: skip
def test_the_reference_gives_types_and_defaults_as_the_schemas_do(page, key, allowed, default):
    assert row(page, key)[:2] == [allowed, default]


def test_depth_may_be_a_list_of_layers(page):
    assert "| `prompt.layers` | text or integer or list of integer | `all` |" in page


def test_a_head_s_own_keys_are_in_the_reference(monkeypatch):
    class Keys(Schema):
        width: Annotated[int, Field(ge=1)] = Field(default=3, description="of the layer")

    monkeypatch.setattr(Token, "Keys", Keys)
    assert "token" in registry.names("ptuning.heads")
    assert row(reference.page(), "head.width") == ["integer, ≥ 1", "`3`", "of the layer"]
