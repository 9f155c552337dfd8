"""FCT on VGGFace2 without side-information, ResNet-18 on 863 identities -> ResNet-50 on 8631, both with ArcFace."""

_base_ = ['../_base_/datasets/vggface2.py', '../_base_/models/resnet50.py', '../_base_/transform_8xb128.py']

old_depth = 18
work_dir = f'{_base_.work_root}/resnet50_vggface2_noside'
old_checkpoint = f'{_base_.work_root}/resnet18_vggface2_old/final.pth'
new_checkpoint = f'{_base_.work_root}/resnet50_vggface2_new/final.pth'
old_stage = dict(config='resnet18_vggface2_old.py', checkpoint=old_checkpoint)
new_stage = dict(config='resnet50_vggface2_new.py', checkpoint=new_checkpoint)
prerequisites = [old_stage, new_stage]
encoder = dict(backbone=_base_.backbone, data_preprocessor=_base_.image_preprocessor)
old_encoder = dict(encoder, backbone=dict(_base_.backbone, depth=old_depth), checkpoint=old_checkpoint)
encoders = dict(old=old_encoder, new=dict(encoder, checkpoint=new_checkpoint))

model = dict(_base_.transform, _delete_=True, encoders=encoders)
tables = dict(encoders=encoders, num_workers=_base_.num_workers)
train_dataloader = dict(dataset=dict(tables, dataset=_base_.train_set, path=f'{work_dir}/embeddings_train'))
test_dataloader = dict(dataset=dict(tables, dataset=_base_.test_set, path=f'{work_dir}/embeddings_test'))
test_evaluator = dict(distance='cosine')  # ArcFace learns only angles
