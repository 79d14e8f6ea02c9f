"""Losses that are what they are meant to be, as newcomers asked `segloss check` about them."""
from .case import KERAS, ONE, PROBABILITIES, TORCH, Lazy, merged, right_ones

torch, F = Lazy("torch"), Lazy("torch.nn.functional")
keras, K = Lazy("keras"), Lazy("keras.ops")

CASES, library, written = right_ones("fourth")
IMAGE, BATCH = (2, 3), (0, 2, 3)


def hot(y, z):
    return F.one_hot(y, z.shape[1]).movedim(-1, 1).to(z.dtype)


def scores(z, y, axes, smooth):
    p, t = z.softmax(1), hot(y, z)
    return (2 * (p * t).sum(axes) + smooth) / ((p + t).sum(axes) + smooth)


@written("pytorch", TORCH, "exponential_logarithmic", dice_weight=1, cross_weight=0, gamma_dice=1, smooth=1e-6)
def log_dice_of_the_batch(z, y):
    return -scores(z, y, BATCH, 1e-6).log().mean()


@written("pytorch", TORCH, "exponential_logarithmic", dice_weight=1, cross_weight=0, gamma_dice=1, smooth=1e-5, region="image")
def log_dice_of_each_image(z, y):
    return -scores(z, y, IMAGE, 1e-5).log().mean()


@written("keras", merged(KERAS, ONE, PROBABILITIES), "binary_cross_entropy + dice",
         terms=[dict(reduction="none"), dict(activation="sigmoid", smooth=1.0)])
def keras_bce_map_and_dice(y, p):
    a, b = K.reshape(K.cast(y, p.dtype), (-1,)), K.reshape(p, (-1,))
    return keras.losses.binary_crossentropy(y, p) + 1 - (2 * K.sum(a * b) + 1) / (K.sum(a) + K.sum(b) + 1)


@written("pytorch", TORCH, "dice", [1.0, 1.0, 0.0], weights="fixed", smooth=1, region="image")
def dice_without_the_last_class(z, y):
    return 1 - scores(z, y, IMAGE, 1)[:, :-1].mean()


@written("pytorch", TORCH, "tversky", alpha=1, beta=0, smooth=1)
def tversky_of_false_positives(z, y):
    p, t = z.softmax(1), hot(y, z)
    tp, fp = (p * t).sum(BATCH), (p * (1 - t)).sum(BATCH)
    return 1 - ((tp + 1) / (tp + fp + 1)).mean()


@written("pytorch", merged(TORCH, ONE), "focal", [0.75, 0.25], activation="sigmoid", gamma=2.0, weights="fixed")
def focal_of_one_channel_by_hand(z, y):
    p = torch.sigmoid(z)
    ce = F.binary_cross_entropy_with_logits(z, y, reduction="none")
    pt, alpha = p * y + (1 - p) * (1 - y), 0.25 * y + 0.75 * (1 - y)
    return (alpha * (1 - pt) ** 2 * ce).mean()
