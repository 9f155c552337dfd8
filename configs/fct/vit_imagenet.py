"""FCT on ImageNet to another architecture: an old ResNet-50, a new vision transformer."""

_base_ = ['./resnet50_imagenet.py', '../_base_/models/vit_small.py']

work_dir = f'{_base_.work_root}/vit_imagenet'
new_checkpoint = f'{_base_.work_root}/vit_imagenet_new/final.pth'
new_stage = dict(config='vit_imagenet_new.py', checkpoint=new_checkpoint)
prerequisites = [*_base_.prerequisites[:-1], new_stage]
vit = dict(_base_.vit_backbone, _delete_=True)  # nothing of the ResNet remains
encoders = dict(new=dict(backbone=vit, neck=_base_.vit_neck, checkpoint=new_checkpoint))

model = dict(head=dict(new_dims=_base_.vit_embedding_dims), encoders=encoders)
train_dataloader = dict(dataset=dict(path=f'{work_dir}/embeddings_train', encoders=encoders))
test_dataloader = dict(dataset=dict(path=f'{work_dir}/embeddings_test', encoders=encoders))
