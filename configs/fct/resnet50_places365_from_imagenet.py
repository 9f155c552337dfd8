"""FCT on Places-365 from another data set: the old model knows the objects of ImageNet, the new one scenes."""

_base_ = './resnet50_places365.py'

imagenet_root = 'data/imagenet'
imagenet_classes = 1000
work_dir = f'{_base_.work_root}/resnet50_places365_from_imagenet'
old_checkpoint = f'{_base_.work_root}/resnet50_imagenet_all/final.pth'
old_options = dict(data_root=imagenet_root, num_classes=imagenet_classes, old_classes=imagenet_classes)
old_stage = dict(config='resnet50_imagenet_old.py', checkpoint=old_checkpoint, cfg_options=old_options)
prerequisites = [old_stage, *_base_.prerequisites[1:]]
encoders = dict(old=dict(checkpoint=old_checkpoint))

model = dict(encoders=encoders)
train_dataloader = dict(dataset=dict(path=f'{work_dir}/embeddings_train', encoders=encoders))
test_dataloader = dict(dataset=dict(path=f'{work_dir}/embeddings_test', encoders=encoders))
