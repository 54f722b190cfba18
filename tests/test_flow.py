"""Imports run along one arrow, and nothing below knows a particular table."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
FLOW = [
    "errors", "files", "seeds", "config", "precision", "depth", "packages", "onnx_weights", "packaged", "tiny",
    "fields", "spans", "formats", "metrics", "words", "tasks", "sources", "data", "encode", "layout", "injection",
    "families", "stem", "backbone", "prompts",
    "methods", "heads", "adapters", "mixture", "lanes", "budget", "select", "evaluate", "train",
    "records", "compare", "heldout", "weights", "mirror", "outbox",
    "run", "inference", "launch", "rerun", "claims", "sweep", "plugins", "report",
]  # fmt: skip


def imported(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.split(".")[0] in ("ptuning", "experiments")
        ):
            parts = node.module.split(".")
            yield from [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
            if parts[0] == "experiments":
                yield "experiments"
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("ptuning."))


def modules():
    for file in sorted((ROOT / "ptuning").rglob("*.py")):
        yield file, file.relative_to(ROOT / "ptuning").with_suffix("").parts[0]


def test_every_module_has_its_place_in_the_flow():
    assert {name for _, name in modules()} - {"__init__"} == set(FLOW)


def test_imports_go_one_way():
    for file, name in modules():
        if name != "__init__":
            behind = [other for other in imported(file) if other != name and FLOW.index(other) > FLOW.index(name)]
            assert not behind, f"{file.relative_to(ROOT)} imports {behind}, which comes after it"


def test_only_its_own_file_branches_on_a_method_or_task():
    names = {file.stem for folder in ("methods", "tasks") for file in (ROOT / "ptuning" / folder).glob("*.py")}
    for file, _ in modules():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Compare):
                constants = {c.value for c in ast.walk(node) if isinstance(c, ast.Constant)} & (names - {"base"})
                assert not constants - {file.stem}, f"{file.name}:{node.lineno} compares with {constants}"
