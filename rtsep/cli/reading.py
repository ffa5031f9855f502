"""Reading the settings of a session."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtsep.config import read_yaml
from rtsep.errors import ConfigError, UsageError
from rtsep.settings import LiveSettings

#: Patterns of keys of the settings, and the options that set them.
OPTION_OF = {
    r"input\.source": "--input",
    r"model\.name": "--model",
    r"model\.update_hops": "--update-hops",
    r"model\.latency": "--latency",
    r"model\.lookahead_frames": "--lookahead",
    r"model\.context_frames": "--context",
    r"model\.precision": "--precision",
    r"mixer\.stems\.(\S+)\.gain_db": r"--gain \1",
    r"mixer\.stems\.(\S+)\.route": r"--route \1",
    r"output\.sink": "--output",
    r"output\.record": "--record",
    r"output\.record_format": "--record-format",
    r"output\.clock": "--clock",
    r"control\.stats_json": "--stats-json",
    r"control\.osc\.listen": "--osc",
}


def find_config(name: str) -> Path:
    """The settings of this path; if there are none, those of this name that come with rtsep, if there are."""
    path = Path(name)
    package = Path(__file__).resolve().parents[1]
    folders = (package / "configs", package.parent / "configs")  # installed, or in a repository
    shipped = [folder / path for folder in folders if path.name == name and (folder / path).is_file()]
    return path if path.exists() or not shipped else shipped[0]


def read_settings(config: Path | None, options: Mapping[str, Any]) -> LiveSettings:
    """The settings of a file with the options over them.

    Raises
    ------
    ConfigError, UsageError
        The file, or an option, is not as it should be.
    """
    settings = read_yaml(config, LiveSettings) if config else LiveSettings()
    try:
        return settings.with_overrides(options)
    except ConfigError as error:
        raise UsageError(name_options(str(error))) from None


def name_options(text: str) -> str:
    """A complaint of the settings about the options: with their names in place of those of the keys."""
    for key, option in OPTION_OF.items():
        text = re.sub(rf"\b{key}(\.\d+)?(?=[: ])", option, text)
    return text
