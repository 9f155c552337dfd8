"""Find the configs that come with mmfct: in the installed package, or in the checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def configs_folder() -> Path | None:
    """Return the folder of mmfct's configs, or ``None`` where they were not installed.

    A wheel has them in ``mmfct/.mim/configs``, as those of the hosts do; a checkout beside the package.
    """
    checkout = _PACKAGE.parent
    folders = [_PACKAGE / '.mim/configs', checkout / 'configs']
    # A folder beside an installed package is that of somebody else, unless the checkout's own files are there too.
    usable = [True, (checkout / 'pyproject.toml').is_file()]
    return next((folder for folder, use in zip(folders, usable, strict=True) if use and folder.is_dir()), None)


def find_config(name: str) -> Path | None:
    """Return one of mmfct's configs, or ``None`` if there is none of that name.

    Args:
        name: Its path in the folder of the configs, such as ``fct/resnet10_digits.py``; ``configs/`` may precede it.
    """
    folder, path = configs_folder(), Path(name)
    if folder is None or path.is_absolute() or '..' in path.parts:
        return None
    if path.parts[:1] == ('configs',):
        path = path.relative_to('configs')
    return folder / path if (folder / path).is_file() else None
