
CLASSES = {CLASSES}  # channels of the prediction
LAYOUT = "{LAYOUT}"  # where they lie; no_channels: (N, H, W)
INPUT = "{INPUT}"  # what the function takes: logits, or probabilities
IGNORED = {IGNORED}  # the label of pixels that do not count
FORMS = {FORMS}  # of the target; the first that the function takes is asked
ORDER = None  # of its arguments: "prediction, target" or "target, prediction"; as they are called where None
DEFAULT = "{ORDER}"  # where their names do not say it

sys.path.insert(0, ".")
LOSS = getattr(importlib.import_module("{MODULE}"), "{FUNCTION}")
LOSS = LOSS() if isinstance(LOSS, type) else LOSS


def batches():
    """(name, logits (N, C, H, W), labels (N, H, W)): each is there to tell losses apart that agree on the others."""
    random, c = np.random.default_rng(0), CLASSES
    classes = max(c, 2)  # one channel has two: 0 and 1
    images = 3 if c == 2 else 2  # another number, so that a target of another form does not broadcast
    z = 1.5 * random.standard_normal((images, c, 5, 3))
    y = np.array([[0] * 9 + [1] * 3, [0] * 3 + [1] * 9, [0] * 6 + [1] * 6])[:images]  # images of different balance
    y = np.concatenate([y, [[k % classes for k in range(2, 5)]] * images], 1)
    y = random.permuted(y, axis=1).reshape(images, 5, 3)
    yield "base", z, y
    yield "again", z, y  # does it answer the same twice?
    yield "image", z[1:], y[1:]
    yield "four", np.concatenate([z, z + random.standard_normal(z.shape)]), np.concatenate([y, y])
    yield "shifted", z + random.standard_normal((images, 1, 5, 3)), y
    if c > 1:
        order = np.roll(np.arange(c), 1)
        yield "relabelled", z[:, order], np.argsort(order)[y]
    yield "absent", z, np.where(y == classes - 1, 0, y)
    yield "absent_in_one", z, np.where((y == classes - 1) & (np.arange(images) == 0)[:, None, None], 0, y)
    truth = np.where(y[:, None] == np.arange(c)[:, None, None] if c > 1 else y[:, None] == 1, 1.0, -1.0)
    some = random.random((images, 1, 5, 3)) < 0.4
    yield "sure", z + 4 * truth * np.where(some, -1, 1), y  # confidently wrong here, confidently right there
    yield "saturated", z + 500 * truth * np.where(some, -1, 1), y
    yield "large", 2 * random.standard_normal((1, c, 12, 12)), (random.random((1, 12, 12)) ** 3 * classes).astype(int)
    yield "pixel", z[:1, :, :1, :1], y[:1, :1, :1]
    if IGNORED is not None:
        void = random.random(y.shape) < 0.3
        yield "ignored", z, np.where(void, IGNORED, y)
        yield "ignored_changed", np.where(void[:, None], -z, z), np.where(void, IGNORED, y)
    if c > 1:
        share = random.random(z.shape)
        yield "soft", z, share / share.sum(1, keepdims=True)  # for targets that can be soft
    direction = truth * random.random(z.shape)
    for name, step in (("forward", 1e-3), ("backward", -1e-3)):  # does the gradient say how the value moves?
        yield name, z + step * direction, y


def arranged(array):
    if LAYOUT == "no_channels":
        return np.ascontiguousarray(array[:, 0])
    return np.ascontiguousarray(np.moveaxis(array, 1, -1) if LAYOUT == "channels_last" else array)


def prediction(z):
    if INPUT == "logits":
        return arranged(z)
    e = np.exp(z - z.max(1, keepdims=True))
    return arranged(1 / (1 + np.exp(-z)) if CLASSES == 1 else e / e.sum(1, keepdims=True))


def target(y, form):
    if form == "indices":
        return y
    if y.ndim == 4:
        return arranged(y)
    if form == "channel" or CLASSES == 1:
        return arranged(y[:, None])
    return arranged((y[:, None] == np.arange(CLASSES)[:, None, None]).astype(float))
