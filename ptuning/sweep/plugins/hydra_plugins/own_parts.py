"""Hydra's search path, to which the conf/ of plugins is added (`ptuning.registry`)."""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from ptuning import registry


class OwnParts(SearchPathPlugin):
    """Behind our own files, so that none of those is replaced."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for place in registry.conf_folders():
            search_path.append(provider="ptuning plugins", path=place)
