"""FCT on Omniglot from another data set: the old model knows the ten digits of scikit-learn, but no character."""

_base_ = './resnet10_omniglot.py'

work_dir = f'{_base_.work_dir}_from_digits'
old_checkpoint = f'{_base_.work_root}/resnet10_digits_all/final.pth'
old_options = dict(old_classes=10, image_size=_base_.image_size)
old_stage = dict(config='resnet10_digits_old.py', checkpoint=old_checkpoint, cfg_options=old_options)
prerequisites = [old_stage, *_base_.prerequisites[1:]]
# Every encoder normalises images as in its training.
encoders = dict(old=dict(data_preprocessor=dict(mean=[78.0], std=[96.0]), checkpoint=old_checkpoint))

model = dict(encoders=encoders)
train_dataloader = dict(dataset=dict(path=f'{work_dir}/embeddings_train', encoders=encoders))
test_dataloader = dict(dataset=dict(path=f'{work_dir}/embeddings_test', encoders=encoders))
