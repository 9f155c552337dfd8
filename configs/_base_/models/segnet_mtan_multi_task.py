"""SegNet with multi-task attention (arXiv 1803.10704) and, for each task, a head of a 3x3 and a 1x1 convolution."""

filters = (64, 128, 256, 512, 512)

segnet = dict(type='mmfct.SegNetMTAN', num_tasks=2, filters=filters)
task_head = dict(
    type='FCNHead',
    in_channels=filters[0],
    in_index=None,  # the number of the task
    channels=filters[0],
    num_convs=1,
    concat_input=False,
    norm_cfg=None,
    act_cfg=None,
    dropout_ratio=0,
    init_cfg=dict(type='Xavier', layer='Conv2d', distribution='normal'),
)
