"""The packages of a wheel, which pyproject.toml alone cannot say: conf/ stays where it is, and goes along as
`ptuning.conf`."""

from setuptools import find_namespace_packages, setup

setup(
    packages=[*find_namespace_packages(include=["ptuning*", "experiments*"]), "ptuning.conf"],
    package_dir={"ptuning.conf": "conf"},
    package_data={
        "ptuning": ["py.typed"],
        "ptuning.conf": ["**/*.yaml"],
        "experiments.site": ["*.html", "*.css", "*.js"],
        "experiments.benchmark": ["lengths/*.csv"],
    },
)
