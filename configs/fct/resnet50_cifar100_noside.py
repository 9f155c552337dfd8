"""FCT on CIFAR-100 without side-information, 50 -> 100 classes: the old embedding feeds both branches."""

_base_ = ['../_base_/datasets/cifar100.py', '../_base_/models/resnet50.py', '../_base_/transform_8xb128.py']

work_dir = f'{_base_.work_root}/resnet50_cifar100_noside'
old_checkpoint = f'{_base_.work_root}/resnet50_cifar100_old/final.pth'
new_checkpoint = f'{_base_.work_root}/resnet50_cifar100_new/final.pth'
old_stage = dict(config='resnet50_cifar100_old.py', checkpoint=old_checkpoint)
new_stage = dict(config='resnet50_cifar100_new.py', checkpoint=new_checkpoint)
prerequisites = [old_stage, new_stage]
encoder = dict(backbone=_base_.backbone, data_preprocessor=_base_.image_preprocessor)
encoders = dict(old=dict(encoder, checkpoint=old_checkpoint), new=dict(encoder, checkpoint=new_checkpoint))

model = dict(_base_.transform, _delete_=True, encoders=encoders)
tables = dict(encoders=encoders, num_workers=_base_.num_workers)
train_dataloader = dict(dataset=dict(tables, dataset=_base_.train_set, path=f'{work_dir}/embeddings_train'))
test_dataloader = dict(dataset=dict(tables, dataset=_base_.test_set, path=f'{work_dir}/embeddings_test'))
