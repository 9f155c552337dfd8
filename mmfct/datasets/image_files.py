"""Image files of a folder, without labels."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.dataset import BaseDataset
from mmengine.dist import is_main_process
from mmengine.logging import print_log

from mmfct.datasets.image_listing import ImageListing, image_extensions
from mmfct.registry import DATASETS


@DATASETS.register_module()
class ImageFiles(BaseDataset):
    """All images of a folder and its subfolders in sorted order, or the given files in their order.

    What is passed over, see `ImageListing`, is logged.

    Args:
        data_root: The folder.
        files: Names of files relative to it; ``None`` for all that have the extension of an image.
        pipeline: Transforms, as configs or callables; the first loads the file.

    Raises:
        FileNotFoundError: If the folder or a file is missing, or there is no image.
    """

    def __init__(
        self, data_root: str, files: Sequence[str] | None = None, *, pipeline: Sequence[dict | Callable] = ()
    ) -> None:
        self.files = files
        # In training mode another image would silently replace one that cannot be loaded.
        super().__init__(data_root=data_root, pipeline=list(pipeline), test_mode=True)

    def load_data_list(self) -> list[dict]:
        """List the files."""
        root = Path(self.data_root)
        if not root.is_dir():
            raise FileNotFoundError(f'`data_root` must be a folder of images, got {str(root)!r}, which does not exist')
        if self.files is None:
            listing = ImageListing(root)
            paths, passed_over = listing.paths, listing.passed_over()
            if passed_over and is_main_process():
                text = f'{root}: {len(paths)} images are read; passed over: {passed_over}'
                print_log(text, 'current', logging.WARNING)
        else:
            paths = [root / name for name in self.files]
            missing = [str(path) for path in paths if not path.is_file()]
            if missing:
                raise FileNotFoundError(f'{len(missing)} image files do not exist, such as {missing[0]!r}')
        if not paths:
            known = ', '.join(sorted(image_extensions()))
            raise FileNotFoundError(f'`data_root` must hold images ({known}), got none in {str(root)!r}')
        return [dict(img_path=str(path)) for path in paths]
