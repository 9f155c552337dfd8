"""The tasks of SURREAL by the names that ``tasks`` of a config takes, what measures them, and their weightings."""

_base_ = './task_weightings.py'

task_weights = dict(pose=1.0, depth=1.0, parts=1.0)  # of 'fixed'
pose_error = 'l2'  # or 'l1', absolute errors
depth_error = 'l1'
rotation = '6d'  # or 'vector'
body_female = None  # SMPL_FEMALE.npz and ...
body_male = None  # ... SMPL_MALE.npz measure the surface error

pose_task = dict(type='mmfct.BodyPoseTask', error=pose_error, rotation=rotation)
depth_task = dict(type='mmfct.DepthTask', error=depth_error, signed=True)
parts_task = dict(type='mmfct.SegmentationTask')
parts_loss = dict(type='CrossEntropyLoss', avg_non_ignore=True)
body_files = {gender: file for gender, file in dict(female=body_female, male=body_male).items() if file}
body = dict(type='mmfct.SmplBody', files=body_files) if body_files else None
evaluators = dict(
    pose=dict(type='mmfct.BodyErrorMetric', body=body),
    depth=dict(type='mmfct.DepthErrorMetric', signed=True, rmse=True),
    parts=dict(type='mmfct.PartIoUMetric'),
)
weightings = dict(fixed=dict(_delete_=True, type='mmfct.FixedWeighting', weights=task_weights))
