"""FCT on ImageNet, 500 -> 1000 classes, with side-information by SimCLR from the images of the old classes."""

_base_ = './resnet50_imagenet_noside.py'

work_dir = f'{_base_.work_root}/resnet50_imagenet'
side_checkpoint = f'{_base_.work_root}/resnet50_imagenet_side/final.pth'
side_stage = dict(config='resnet50_imagenet_side.py', checkpoint=side_checkpoint)
prerequisites = [_base_.old_stage, side_stage, _base_.new_stage]
encoders = dict(side=dict(_base_.encoder, checkpoint=side_checkpoint))

model = dict(encoders=encoders)
train_dataloader = dict(dataset=dict(path=f'{work_dir}/embeddings_train', encoders=encoders))
test_dataloader = dict(dataset=dict(path=f'{work_dir}/embeddings_test', encoders=encoders))
