"""Every public function and method says what it does, what it raises, and the shape of the tensors that it gives."""

import ast
import importlib
import inspect
import pkgutil
import textwrap

import pytest

import ptuning

MODULES = [one.name for one in pkgutil.walk_packages(ptuning.__path__, "ptuning.") if ".plugins" not in one.name]


def documented(module):
    """Each public function of a module, and each public method of its classes, with all that is said of it: by itself,
    by what it overrides, and of errors by the module."""
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(thing):
            yield name, thing, [thing.__doc__]
        elif inspect.isclass(thing):
            for own, member in vars(thing).items():
                function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
                if inspect.isfunction(function) and not own.startswith("_"):
                    yield (
                        f"{name}.{own}",
                        function,
                        [getattr(vars(one).get(own), "__doc__", "") for one in thing.__mro__],
                    )


def raises(function):
    """Whether its own lines raise InputError."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    found = (node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise))
    return any(isinstance(one, ast.Call) and getattr(one.func, "id", "") == "InputError" for one in found)


@pytest.mark.parametrize("name", MODULES)
def test_what_is_public_is_documented(name):
    module = importlib.import_module(name)
    for what, function, docs in documented(module):
        said = " ".join(filter(None, docs))
        assert said, f"{name}.{what} has no docstring"
        if raises(function):
            assert "aise" in f"{said} {module.__doc__}" or "refused" in f"{said} {module.__doc__}", f"{name}.{what}"
        if function.__annotations__.get("return") in ("Tensor", "np.ndarray"):
            assert "[" in f"{said} {module.__doc__}", f"{name}.{what} says no shape"
