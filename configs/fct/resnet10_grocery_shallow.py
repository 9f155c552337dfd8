"""FCT on Grocery Store with an h of one hidden layer, on the same table."""

_base_ = './resnet10_grocery.py'

work_dir = f'{_base_.work_root}/resnet10_grocery_{_base_.setting}_{_base_.side}_{_base_.side_classes}_shallow'

model = dict(head=dict(shallow=True, hidden_dims=2048))
