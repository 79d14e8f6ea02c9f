"""Losses with a fault each, as newcomers asked `segloss check` about them."""
from .case import INDICES, JAX, KERAS, ONE, PROBABILITIES, TORCH, Lazy, merged, wrong_ones

torch, F = Lazy("torch"), Lazy("torch.nn.functional")
keras = Lazy("keras")
jnp, optax = Lazy("jax.numpy"), Lazy("optax")

CASES, library, written = wrong_ones("fourth")
IMAGE, BATCH = (2, 3), (0, 2, 3)


def hot(y, z):
    return F.one_hot(y, z.shape[1]).movedim(-1, 1).to(z.dtype)


def score(z, y, axes):
    p, t = z.softmax(1), hot(y, z)
    return ((2 * (p * t).sum(axes) + 1) / ((p + t).sum(axes) + 1)).mean()


# ------------------------------------------------------------------------------------------------- arguments_swapped
@written("arguments_swapped", "pytorch", merged(TORCH, ONE, PROBABILITIES), "binary_cross_entropy")
def bce_of_swapped_arguments(p, y):
    return F.binary_cross_entropy(y.to(p.dtype), p)


@written("arguments_swapped", "pytorch", merged(TORCH, PROBABILITIES), "cross_entropy")
def logarithm_of_the_target(p, y):
    return -(p * torch.log(hot(y, p) + 1e-7)).sum(1).mean()


@written("arguments_swapped", "keras", merged(KERAS, PROBABILITIES), "cross_entropy")
def keras_categorical_of_swapped_arguments(y, p):
    return keras.losses.categorical_crossentropy(p, y)


@written("arguments_swapped", "jax", merged(JAX, ONE, PROBABILITIES), "binary_cross_entropy")
def jax_bce_of_swapped_arguments(p, y):
    return -(p * jnp.log(y + 1e-8) + (1 - p) * jnp.log(1 - y + 1e-8)).mean()


# -------------------------------------------------------------------------------------------------------- wrong_axis
@written("wrong_axis", "pytorch", TORCH, "cross_entropy")
def cross_entropy_along_columns(z, y):
    return -(hot(y, z) * F.log_softmax(z, -1)).sum(-1).mean()


@written("wrong_axis", "pytorch", TORCH, "cross_entropy")
def cross_entropy_along_the_batch(z, y):
    return -(hot(y, z) * F.log_softmax(z, 0)).sum(1).mean()


@written("wrong_axis", "jax", merged(JAX, dict(layout="channels_first")), "cross_entropy")
def optax_of_channels_first(z, y):
    return optax.softmax_cross_entropy(z, y).mean()


# ---------------------------------------------------------------------------------------------- broadcast_over_images
@written("broadcast_over_images", "pytorch", merged(TORCH, ONE, INDICES), "binary_cross_entropy")
def bce_of_masks_without_an_axis(z, y):
    t = y.reshape(z.shape[0], *z.shape[2:]).to(z.dtype)
    return (F.softplus(z) - t * z).mean()


# ---------------------------------------------------------------------------------------------------- focal_inverted
@written("focal_inverted", "pytorch", TORCH, "focal")
def focal_of_p_squared(z, y):
    log = F.log_softmax(z, 1).gather(1, y[:, None])
    return -(log.exp() ** 2 * log).mean()


# ------------------------------------------------------------------------------------------------------------- sign
@written("sign", "pytorch", TORCH, "cross_entropy + dice")
def cross_entropy_and_score_of_images(z, y):
    return F.cross_entropy(z, y) + score(z, y, IMAGE)


@written("sign", "pytorch", TORCH, "cross_entropy + dice")
def half_cross_entropy_and_half_score(z, y):
    return 0.5 * F.cross_entropy(z, y) + 0.5 * score(z, y, BATCH)


# ------------------------------------------------------------------------------------------------------- not_finite
@written("not_finite", "pytorch", TORCH, "exponential_logarithmic", shows="answers")
def root_of_cross_entropy(z, y):
    return F.cross_entropy(z, y, reduction="none").sqrt().mean()


# ----------------------------------------------------------------------------------------------- and no answer so far
@written("not_what_its_name_says", "pytorch", TORCH, "dice", expect="dice")
def overlap_of_the_batch_by_sizes_of_images(z, y):
    p, t = z.softmax(1), hot(y, z)
    return 1 - ((2 * (p * t).sum(BATCH) + 1) / ((p + t).sum(IMAGE) + 1)).mean()


@written("not_what_its_name_says", "pytorch", TORCH, "dice", expect="dice")
def dice_without_brackets(z, y):
    p, t = z.softmax(1), hot(y, z)
    return 1 - (2 * (p * t).sum(IMAGE) + 1.0 / (p + t).sum(IMAGE) + 1.0).mean()
