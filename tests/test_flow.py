"""Imports run one way only, as docs/design.md says, and only its own file knows a method, head or task by name."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLOW = [  # packages, and modules that stand elsewhere than the rest of their package
    "errors", "files", "seeds", "registry", "precision", "devices", "pypi", "config", "formats", "metrics",
    "tasks.kinds.examples", "tasks", "data", "prompts", "backbones", "prompts.inits", "methods", "heads", "rules",
    "records.identity", "training.epoch_selection", "parsed", "training", "records", "lane_queue", "run",
    "launch", "sweep", "predict", "sharing", "model", "evaluation", "analysis",
]  # fmt: skip


def place(module):
    """Where a module (`records.run`) stands in the flow: with the longest of the names above that it begins with."""
    names = [name for name in FLOW if f"{module}.".startswith(f"{name}.")]
    return FLOW.index(max(names, key=len)) if names else len(FLOW)


def imported(file):
    """The modules of ours that a file imports, or names in them, without `ptuning.` in front."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        yield from (name.removeprefix("ptuning.") for name in names if name.startswith("ptuning."))
        yield from (name for name in names if name.startswith("experiments"))


def modules():
    for file in sorted((ROOT / "ptuning").rglob("*.py")):
        yield file, ".".join(file.relative_to(ROOT / "ptuning").with_suffix("").parts).removesuffix(".__init__")


def test_every_module_has_its_place_in_the_flow():
    names = {name for _, name in modules()} - {"__init__"}
    assert not [name for name in names if place(name) == len(FLOW)]
    assert not [name for name in FLOW if name not in names], "no such module"


def test_the_table_of_the_design_is_in_the_order_of_the_flow():
    design = (ROOT / "docs/design.md").read_text()
    table = re.search(r"\| package \|.*?\n\n", design, re.DOTALL)[0].strip()
    named = [name for line in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", line.split("|")[1])]
    assert [name.removesuffix(".py").strip("/").replace("/", ".") for name in named] == FLOW


def test_imports_go_one_way():
    for file, name in modules():
        if name != "__init__":
            behind = [other for other in imported(file) if place(other) > place(name)]
            assert not behind, f"{file.relative_to(ROOT)} imports {behind}, which comes after it"


def test_only_its_own_file_branches_on_a_method_head_or_task():
    folders = ("methods", "heads", "tasks")
    names = {file.stem for folder in folders for file in (ROOT / "ptuning" / folder).glob("*.py")}
    for file, _ in modules():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Compare):
                constants = {c.value for c in ast.walk(node) if isinstance(c, ast.Constant)} & (names - {"base"})
                assert not constants - {file.stem}, f"{file.name}:{node.lineno} compares with {constants}"
