"""The recipe of published two-task numbers: 200 epochs of Adam, at half of the rate from epoch 100 on.

They are means over the last ten epochs, or of the last one: the last ten are validated.
"""

epochs = 200
learning_rate = 1e-4

optim_wrapper = dict(optimizer=dict(type='Adam', lr=learning_rate, weight_decay=0.0))
param_scheduler = [dict(type='StepLR', step_size=100, gamma=0.5, by_epoch=True)]
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_begin=max(1, epochs - 9), val_interval=1)
val_cfg = dict()
test_cfg = dict()
