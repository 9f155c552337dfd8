"""Find wrong training labels: tables, pictures and exports."""

from mmfct.apis.find_corrupt_labels.find import find_corrupt_labels

__all__ = ['find_corrupt_labels']
