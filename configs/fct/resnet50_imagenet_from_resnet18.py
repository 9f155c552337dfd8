"""FCT on ImageNet to another architecture: an old ResNet-18, a new ResNet-50."""

_base_ = './resnet50_imagenet.py'

old_depth = 18
work_dir = f'{_base_.work_root}/resnet50_imagenet_from_resnet18'
old_checkpoint = f'{_base_.work_root}/resnet18_imagenet_old/final.pth'
old_stage = dict(config='resnet50_imagenet_old.py', checkpoint=old_checkpoint, cfg_options=dict(depth=old_depth))
prerequisites = [old_stage, *_base_.prerequisites[1:]]
encoders = dict(old=dict(backbone=dict(depth=old_depth), checkpoint=old_checkpoint))

model = dict(encoders=encoders)
train_dataloader = dict(dataset=dict(path=f'{work_dir}/embeddings_train', encoders=encoders))
test_dataloader = dict(dataset=dict(path=f'{work_dir}/embeddings_test', encoders=encoders))
