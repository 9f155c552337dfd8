# Every knob of mmfct learn, at its default: `--config FILE` takes a file with those that differ.
# mmfct.apis.learn_transform.LearnSettings says what each one means.
learn = dict(
    penalties=[10.0 ** (exponent / 2) for exponent in range(-6, 7)],
    inflation=0.4,
    rank=64,
    hidden_dims=512,
    pairs_per_unit=4.0,
    epochs=60,
    patience=8,
    flops=1.0e12,
    batch_size=256,
    lr=1e-3,
    weight_decay=1e-2,
    dropout=0.3,
    folds=5,
    one_fold_from=10_000,
    max_held_out=5_000,
    seed=0,
)
