"""FCT on the digits of scikit-learn: digits 0 to 4 -> all ten; the whole life cycle in two minutes on a CPU."""

_base_ = ['../_base_/datasets/digits.py', '../_base_/models/resnet10_gray.py', '../_base_/transform_small.py']

work_dir = f'{_base_.work_root}/resnet10_digits'
old_checkpoint = f'{_base_.work_root}/resnet10_digits_old/final.pth'
side_checkpoint = f'{_base_.work_root}/resnet10_digits_side/final.pth'
new_checkpoint = f'{_base_.work_root}/resnet10_digits_new/final.pth'
prerequisites = [
    dict(config='resnet10_digits_old.py', checkpoint=old_checkpoint),
    dict(config='resnet10_digits_side.py', checkpoint=side_checkpoint),
    dict(config='resnet10_digits_new.py', checkpoint=new_checkpoint),
]
encoder = dict(backbone=_base_.backbone, data_preprocessor=_base_.image_preprocessor)
encoders = dict(
    old=dict(encoder, checkpoint=old_checkpoint),
    side=dict(encoder, checkpoint=side_checkpoint),
    new=dict(encoder, checkpoint=new_checkpoint),
)

model = dict(_base_.transform, _delete_=True, encoders=encoders)
tables = dict(encoders=encoders)
train_dataloader = dict(dataset=dict(tables, dataset=_base_.train_set, path=f'{work_dir}/embeddings_train'))
test_dataloader = dict(dataset=dict(tables, dataset=_base_.test_set, path=f'{work_dir}/embeddings_test'))
