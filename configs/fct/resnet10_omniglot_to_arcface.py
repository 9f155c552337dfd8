"""FCT on Omniglot to another loss, softmax -> ArcFace; retrieval by angle, which is all that ArcFace learns."""

_base_ = './resnet10_omniglot.py'

work_dir = f'{_base_.work_dir}_to_arcface'
new_checkpoint = f'{_base_.work_root}/resnet10_omniglot_new_arcface/final.pth'
new_stage = dict(config='resnet10_omniglot_new_arcface.py', checkpoint=new_checkpoint)
prerequisites = [*_base_.prerequisites[:-1], new_stage]
encoders = dict(new=dict(checkpoint=new_checkpoint))

model = dict(encoders=encoders)
train_dataloader = dict(dataset=dict(path=f'{work_dir}/embeddings_train', encoders=encoders))
test_dataloader = dict(dataset=dict(path=f'{work_dir}/embeddings_test', encoders=encoders))
test_evaluator = dict(distance='cosine')
