"""FCT on Omniglot to another width: an old model of 64 dimensions, a new one of 128."""

_base_ = './resnet10_omniglot.py'

old_dims = 64
work_dir = f'{_base_.work_dir}_from_width64'
old_checkpoint = f'{_base_.work_root}/resnet10_omniglot_old_{_base_.setting}_width64/final.pth'
old_options = dict(setting=_base_.setting, embedding_dims=old_dims)
old_stage = dict(config='resnet10_omniglot_old.py', checkpoint=old_checkpoint, cfg_options=old_options)
prerequisites = [old_stage, *_base_.prerequisites[1:]]
encoders = dict(old=dict(backbone=dict(embedding_dims=old_dims), checkpoint=old_checkpoint))
side_dims = old_dims if _base_.side == 'none' else _base_.embedding_dims  # with 'none', old feeds both branches

model = dict(head=dict(old_dims=old_dims, side_dims=side_dims), encoders=encoders)
train_dataloader = dict(dataset=dict(path=f'{work_dir}/embeddings_train', encoders=encoders))
test_dataloader = dict(dataset=dict(path=f'{work_dir}/embeddings_test', encoders=encoders))
