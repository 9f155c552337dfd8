"""Variables of configs: which options name one, and whether setting them changes anything."""

from __future__ import annotations

import difflib
import inspect
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmfct.apis.training.config import config_variables, load_config, unread_variables

# Variables of a single training, even if the configs of several trainings assign them.
_OWN = ('work_dir', 'load_from', 'resume', 'prerequisites', 'param_scheduler', 'custom_hooks')
# Entries of a config besides the arguments of mmengine's Runner.
_HOST_ENTRIES = ('compile', 'custom_imports', 'folder_pipeline', 'runner_type', 'tta_model', 'tta_pipeline')
_OUR_ENTRIES = ('data_hint', 'find_unused_parameters', 'image_size', 'model_wrapper_cfg', 'prerequisites', 'sync_bn')
_SIMILAR = 0.8  # `difflib`'s ratio: a difference of a letter or two


def config_of(entry: Mapping[str, Any], folder: Path) -> Path:
    """Return the config of a prerequisite, relative to that of the config which names it.

    A config that a training has left in its work directory has no such neighbours: there it is the one that the
    prerequisite's own training has left beside its checkpoint.
    """
    path = folder / entry['config']
    left = Path(entry['checkpoint']).parent / path.name
    return left if left.is_file() and not path.is_file() else path


def accepted_variables(path: Path, cfg_options: dict[str, Any]) -> set[str]:
    """Return the variables of a config and its prerequisites that accept options of another config."""
    return set().union(*(own for own, _ in _stages(path, cfg_options)))


def check_variables(filename: str | Path, cfg_options: dict[str, Any]) -> None:
    """Refuse misspelt variables, which would silently train something else.

    Other options without effect only cause a warning, since a script may pass the same options to several configs. So
    do variables that the config sets in vain, after its base has computed with them.

    Args:
        filename: Config file.
        cfg_options: Its options; dotted ones are not checked, they may add entries.

    Raises:
        ValueError: If an option is neither a variable nor an entry of the config, of its prerequisites or of mmengine,
            but resembles one.
    """
    names = {name for name in cfg_options if '.' not in name}
    stages = list(_stages(Path(filename), cfg_options))
    plain = [load_config(config.filename) for _, config in stages]
    variables = set().union(*(own for own, _ in stages))
    known = {*plain[0], *variables, *_HOST_ENTRIES, *inspect.signature(Runner).parameters}
    for name in sorted(names - known):
        similar = difflib.get_close_matches(name, known, 1, _SIMILAR)
        if similar:
            raise ValueError(f'{filename} has no variable or entry {name!r}; did you mean {similar[0]!r}?')
        print_log(f'{filename} has no variable or entry {name!r}: it has no effect', 'current', logging.WARNING)
    for name in _ineffective(Path(filename), cfg_options, names & variables, plain, stages):
        text = (
            f'{name}={cfg_options[name]!r} has no effect: with the other options, nothing in {filename} depends on it'
        )
        print_log(text, 'current', logging.WARNING)
    read = _read_names()
    for name, base in unread_variables(filename).items():
        value, before = stages[0][1].get(name), load_config(base).get(name)
        if name not in read and name not in cfg_options and value != before:
            text = (
                f'{filename} sets {name}={value!r} without effect: {base.name} has computed with {before!r} before; '
                f'set what depends on it, or give `--cfg-options {name}=...`'
            )
            print_log(text, 'current', logging.WARNING)


_Stage = tuple[set[str], Config]


def _stages(path: Path, cfg_options: dict[str, Any]) -> Iterator[_Stage]:
    """Yield a config with the options that name a variable of it, and these; then those of its prerequisites."""
    own = config_variables(path).difference(_OWN) if path.is_file() else set()
    config = load_config(path, {name: value for name, value in cfg_options.items() if name in own})
    yield own, config
    for entry in config.get('prerequisites', []):
        yield from _stages(config_of(entry, path.parent), {**cfg_options, **entry.get('cfg_options', {})})


def _ineffective(
    path: Path, cfg_options: dict[str, Any], names: set[str], plain: list[Config], stages: list[_Stage]
) -> Iterator[str]:
    """Yield the options without which all that is read would be the same, although they change a variable.

    Args:
        path: The config.
        cfg_options: Its options.
        names: Those that name a variable.
        plain: The config and its prerequisites without options.
        stages: The same with them.
    """
    given = _read_entries(config for _, config in stages)
    before, after = dict(_parts(_read_entries(plain))), dict(_parts(given))
    changed = [(before[place], value) for place, value in after.items() if before.get(place, value) != value]
    for name in sorted(names):
        values = [(_plain(old.get(name)), _plain(new.get(name))) for old, (_, new) in zip(plain, stages, strict=True)]
        # The second is quicker than another look at all configs: something that had the old value has the new one.
        if all(old == new for old, new in values) or any(pair in changed for pair in values):
            continue
        others = {other: value for other, value in cfg_options.items() if other != name}
        if _read_entries(config for _, config in _stages(path, others)) == given:
            yield name


def _read_entries(configs: Iterable[Config]) -> list[dict[str, Any]]:
    """Return what is read of configs; the other entries are what these are computed from."""
    read = _read_names()
    return [{name: _plain(value) for name, value in config.items() if name in read} for config in configs]


def _read_names() -> set[str]:
    return {*inspect.signature(Runner).parameters, *_HOST_ENTRIES, *_OUR_ENTRIES}


def _plain(value: Any) -> Any:
    """Return a value in which tuples, which the command line writes as lists, are lists."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def _parts(value: Any, place: tuple = ()) -> Iterator[tuple[tuple, Any]]:
    """Yield a value and all that is in it, by place."""
    yield place, value
    if isinstance(value, (dict, list)):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _parts(part, (*place, name))
