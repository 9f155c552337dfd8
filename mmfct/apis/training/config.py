"""Load configs with ``--cfg-options`` that reach everything computed from them."""

from __future__ import annotations

import ast
import copy
import re
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine import config as mmengine_config
from mmengine.config import Config

# Options that name files and folders, which may look like a number (`data_root=2024`) or a list (`data_root=set,v2`).
_NAMES = re.compile(r'(?:^|[._])(root|dir|(?<!drop_)path|file|folder|prefix|checkpoint|name|load_from)$')


class DictAction(mmengine_config.DictAction):
    """mmengine's action for ``--cfg-options``, which also takes dicts in lists and leaves names of files as they are.

    mmengine reads ``'data_root=/data/my images'`` as ``/data/myimages`` and cannot read
    ``test_pipeline="[dict(type='PackInputs')]"``. A mistake ends the program with a message that names the option.
    """

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Add ``KEY=VALUE`` words to the options of the namespace."""
        options = dict(getattr(namespace, self.dest, None) or {})
        for word in values or ():
            if '=' not in word:
                parser.error(f'{option_string} takes KEY=VALUE, after the other arguments, got {word!r}')
            key, _, text = word.partition('=')
            try:
                options[key] = self._parse(key, text)
            except (AssertionError, SyntaxError, ValueError) as error:
                parser.error(
                    f'{option_string}: {key} must be a number, a word or a list such as "[1, 2]" or '
                    f'"[dict(type=\'Resize\', scale=32)]", got {text!r} ({str(error).splitlines()[0]})'
                )
        setattr(namespace, self.dest, options)

    def _parse(self, key: str, text: str) -> Any:
        """Read a value as Python if it holds quotes or dicts, and else as mmengine does."""
        bracketed = text.strip().startswith(('[', '(', '{', 'dict('))
        if bracketed and re.search(r'dict\(|[{\'"]', text):
            return _evaluate(ast.parse(text.strip(), mode='eval').body, text.strip())
        if _NAMES.search(key) and not bracketed:
            return None if text == 'None' else text.strip('\'"')
        if ' ' in text.strip() and not set(text) & set(',()[]'):
            return text
        return self._parse_iterable(text)


def _evaluate(node: ast.expr, text: str) -> Any:
    """Evaluate lists, dicts and plain values; a bare word is a string, as the shell may have taken its quotes."""
    if isinstance(node, (ast.List, ast.Tuple)):
        items = [_evaluate(item, text) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    if isinstance(node, ast.Dict):
        keys = [key for key in node.keys if key is not None]  # it is None for `**`, which the next line refuses
        pairs = zip(keys, node.values, strict=True)
        return {_evaluate(key, text): _evaluate(value, text) for key, value in pairs}
    if isinstance(node, ast.Call) and ast.unparse(node.func) == 'dict' and not node.args:
        names = [entry.arg for entry in node.keywords if entry.arg is not None]
        values = [entry.value for entry in node.keywords]
        return {name: _evaluate(value, text) for name, value in zip(names, values, strict=True)}
    if isinstance(node, (ast.Name, ast.Attribute)):
        return ast.get_source_segment(text, node)
    return ast.literal_eval(node)


def load_config(filename: str | Path, options: dict[str, Any] | None = None) -> Config:
    """Load a config and apply ``--cfg-options`` to it.

    An option that names a top-level variable of the config or of its bases, such as ``data_root``, replaces the
    assignment *before* the config is evaluated, so that everything computed from the variable follows. (mmengine
    merges options afterwards: a changed ``data_root`` would not reach the data sets that use it.)
    Other options, such as ``train_dataloader.batch_size``, are merged as in mmengine.

    Args:
        filename: Python config file.
        options: Values by dotted key.

    Returns:
        The config; it equals ``Config.fromfile(filename)`` when there are no options.

    Raises:
        FileNotFoundError: If ``filename`` does not exist.
        ValueError: If it cannot be evaluated with these values, or has no place for one of them.
    """
    path = Path(filename)
    if not path.is_file():
        raise FileNotFoundError(f'config {str(filename)!r} does not exist')
    options = dict(options or {})
    variables = {name: options.pop(name) for name in config_variables(path) if name in options}
    if variables:
        with tempfile.TemporaryDirectory() as folder:
            patched = _patched_copy(path.absolute(), variables, Path(folder))
            try:
                copy = Config.fromfile(patched)
            except (AssertionError, LookupError, TypeError, ValueError) as error:
                given = ' '.join(f'{name}={value}' for name, value in variables.items())
                raise ValueError(
                    f'{filename} cannot be evaluated with {given}: {error!r}; the config lists the possible values'
                ) from error
        config = Config(copy._cfg_dict, cfg_text=copy.text, filename=str(path), env_variables=copy.env_variables)
    else:
        config = Config.fromfile(path)
    _merge(config, options)
    return config


def _merge(config: Config, options: dict[str, Any]) -> None:
    """Merge dotted options into a config, in place; raise a ``ValueError`` that names the one that does not fit."""
    if not options:
        return
    before = copy.deepcopy(config)
    try:
        config.merge_from_dict(options)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        for name, value in options.items():
            try:
                before.merge_from_dict({name: value})
            except (AttributeError, LookupError, TypeError, ValueError):
                break
        raise ValueError(f'{config.filename} has no place for the option {name}={value!r}: {error}') from error


def config_variables(filename: str | Path) -> set[str]:
    """Return the names of the plain top-level variables (no dicts) that a config and its bases assign.

    A config that mmengine does not evaluate as text, one in JSON or with ``read_base``, has none.
    """
    path = Path(filename).absolute()
    if path.suffix != '.py' or Config._is_lazy_import(str(path)):
        return set()
    tree = ast.parse(path.read_text())
    names = {name for name, node in _assignments(tree) if not isinstance(node.value, (ast.Dict, ast.Call))}
    for base in _bases(tree):
        if '::' not in base:
            names |= config_variables(path.parent / base)
    return names - {'_base_'}


def unread_variables(filename: str | Path) -> dict[str, Path]:
    """Return plain variables that a config assigns anew and does not read, with the base that has read them before.

    mmengine evaluates a base by itself: what it computes from a variable keeps the value that the base has.
    """
    path = Path(filename).absolute()
    if path.suffix != '.py' or Config._is_lazy_import(str(path)):
        return {}
    tree = ast.parse(path.read_text())
    assigned = {name for name, _ in _assignments(tree)}
    assigned -= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    bases = [path.parent / base for base in _bases(tree) if '::' not in base]
    return {name: base for base in bases for name in assigned & config_variables(base)}


def _patched_copy(path: Path, variables: dict[str, Any], folder: Path) -> str:
    """Write a copy of a config file, and of its bases, with the assignments of ``variables`` replaced."""
    copy = folder / f'{len(list(folder.iterdir()))}_{path.name}'
    Config._substitute_predefined_vars(str(path), str(copy))  # {{ fileBasename }} and the like, of the original
    tree = ast.parse(copy.read_text())
    for name, node in _assignments(tree):
        if name == '_base_':
            bases = [
                base if '::' in base else _patched_copy(path.parent / base, variables, folder) for base in _bases(tree)
            ]
            node.value = ast.parse(repr(bases), mode='eval').body
        elif name in variables:
            node.value = ast.parse(repr(variables[name]), mode='eval').body
    copy.write_text(ast.unparse(tree))
    return str(copy)


def _assignments(tree: ast.Module | ast.If) -> list[tuple[str, ast.Assign]]:
    """List the top-level assignments of a config, including those under an ``if``."""
    found = []
    for node in [*tree.body, *getattr(tree, 'orelse', ())]:
        if isinstance(node, ast.If):
            found += _assignments(node)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.append((node.targets[0].id, node))
    return found


def _bases(tree: ast.Module) -> list[str]:
    for name, node in _assignments(tree):
        if name == '_base_':
            bases = ast.literal_eval(node.value)
            return [bases] if isinstance(bases, str) else list(bases)
    return []
