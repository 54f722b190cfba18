"""Imports run one way only, and nothing in ptuning/ knows a particular table."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLOW = [  # a package, or a module where those of one package stand at different places
    "errors", "files", "seeds", "registry", "precision", "pypi", "config", "formats", "metrics", "tasks", "data",
    "prompts", "backbones", "methods", "heads", "training", "records", "run", "launch", "sweep", "predict", "analysis",
]  # fmt: skip


def imported(file):
    """The packages and modules of ours that a file imports, by their first name below `ptuning`."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts[0] == "ptuning":
                yield from [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
            elif parts[0] == "experiments":
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
            behind = [other for other in imported(file) if other not in FLOW[: FLOW.index(name) + 1]]
            assert not behind, f"{file.relative_to(ROOT)} imports {behind}, which comes after it"


def test_only_its_own_file_branches_on_a_method_head_or_task():
    folders = ("methods", "tasks")
    names = {file.stem for folder in folders for file in (ROOT / "ptuning" / folder).glob("*.py")}
    for file, _ in modules():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Compare):
                constants = {c.value for c in ast.walk(node) if isinstance(c, ast.Constant)} & (names - {"base"})
                assert not constants - {file.stem}, f"{file.name}:{node.lineno} compares with {constants}"
