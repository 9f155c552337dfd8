"""FCT on your own class folders, on one machine: the first half of the classes -> all.

All four trainings take about an hour for 10,000 photographs on two cores, and minutes on a GPU with enough workers.
These variables scale them; give them once, as `--cfg-options data_root=data/mine num_classes=24`. Tools then take the
config that the training leaves with them, `work_dirs/resnet18_folders/resnet18_folders.py`.

    data_root         folder with train/<class>/* and val/<class>/*        'data/folders'
    num_classes       number of class folders                              100
    old_classes       classes that the old model knows, in folder order    half of them
    image_size        pixels, 32 to 128; the time grows with its square    64
    base_channels     width; the time grows with its square                32
    epochs            of the old and of the new classifier                 30
    side_epochs       of SimCLR; more where there are few images           30
    side_batch_size   images per step of SimCLR, at most all of its images 128
    transform_epochs  of the transformation                                80
    num_views         augmented views of an image that it learns from      8
    num_workers       processes that load images                           2
    work_root         folder for everything                                'work_dirs'
"""

_base_ = ['../_base_/datasets/folders.py', '../_base_/models/resnet18_small.py', '../_base_/transform_small.py']

work_dir = f'{_base_.work_root}/resnet18_folders'
old_checkpoint = f'{_base_.work_root}/resnet18_folders_old/final.pth'
side_checkpoint = f'{_base_.work_root}/resnet18_folders_side/final.pth'
new_checkpoint = f'{_base_.work_root}/resnet18_folders_new/final.pth'
prerequisites = [
    dict(config='resnet18_folders_old.py', checkpoint=old_checkpoint),
    dict(config='resnet18_folders_side.py', checkpoint=side_checkpoint),
    dict(config='resnet18_folders_new.py', checkpoint=new_checkpoint),
]
encoder = dict(backbone=_base_.backbone, data_preprocessor=_base_.image_preprocessor)
encoders = dict(
    old=dict(encoder, checkpoint=old_checkpoint),
    side=dict(encoder, checkpoint=side_checkpoint),
    new=dict(encoder, checkpoint=new_checkpoint),
)

model = dict(_base_.transform, _delete_=True, encoders=encoders)
tables = dict(encoders=encoders, num_workers=_base_.num_workers)
train_dataloader = dict(dataset=dict(tables, dataset=_base_.train_set, path=f'{work_dir}/embeddings_train'))
test_dataloader = dict(dataset=dict(tables, dataset=_base_.test_set, path=f'{work_dir}/embeddings_test'))
