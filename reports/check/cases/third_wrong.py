"""More losses with a fault each, made last, without knowing what the search finds; none is anybody's code.

`kind`, `options` and `source` are as in `first_wrong.py`. Where a fault shows only at saturated logits or where a class is
absent, `shows` is `answers`: the capture has neither.
"""
from .case import INDICES, JAX, KERAS, NUMPY, ONE, PROBABILITIES, TORCH, VOID, Lazy, merged, wrong_ones

math, np, torch, F, nn = Lazy("math"), Lazy("numpy"), Lazy("torch"), Lazy("torch.nn.functional"), Lazy("torch.nn")
tf, keras = Lazy("tensorflow"), Lazy("keras")
jax, jnp, optax = Lazy("jax"), Lazy("jax.numpy"), Lazy("optax")
smp, tv, ndimage = Lazy("segmentation_models_pytorch.losses"), Lazy("torchvision.ops"), Lazy("scipy.ndimage")

CASES, library, written = wrong_ones("third")
W3, W4 = [0.3, 1.2, 2.5], [0.2, 1.0, 3.0, 8.0]
C2, C4 = dict(classes=2), dict(classes=4)
BALANCED = "weights = { source = 'per_batch' }"  # whose weights were meant to follow the classes


def hot(y, like):
    """Labels as (N, C, H, W); a label that is no class is a row of zeros."""
    return (y[:, None] == torch.arange(like.shape[1])[:, None, None]).to(like.dtype)


def distances(one):
    """Signed ones of each class of each image, negative inside."""
    far = np.zeros(one.shape)
    for i in np.ndindex(one.shape[:2]):
        mask = one[i] > 0.5
        if mask.any() and not mask.all():
            far[i] = ndimage.distance_transform_edt(~mask) - (ndimage.distance_transform_edt(mask) - 1) * mask
    return far


def hinge_steps(y):
    """How the Jaccard loss grows along sorted masks."""
    jaccard = 1 - (y.sum() - y.cumsum(0)) / (y.sum() + (1 - y).cumsum(0))
    return torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])


# ----------------------------------------------------------------------------------------------------- softmax_twice
@written("softmax_twice", "pytorch", merged(TORCH, PROBABILITIES, C4), "focal", gamma=2.0, source="github.com/tootouch/MemSeg/issues/22")
def focal_of_softmax_output(p, y):
    own = F.log_softmax(p, dim=1).gather(1, y[:, None])  # p is a softmax already
    return -((1 - own.exp()) ** 2 * own).mean()


@written("softmax_twice", "pytorch", TORCH, "cross_entropy", source="github.com/eriklindernoren/PyTorch-YOLOv3/issues/10")
def cross_entropy_of_sigmoids(z, y):
    return nn.CrossEntropyLoss()(torch.sigmoid(z), y)


library("smp_lovasz_of_softmax_output", "softmax_twice", "smp", merged(TORCH, PROBABILITIES), "lovasz_softmax",
        lambda: smp.LovaszLoss("multiclass"), classes="present")


@written("softmax_twice", "jax", merged(JAX, ONE, PROBABILITIES), "binary_cross_entropy + tversky", factors=[0.5, 0.5],
         terms=[{}, dict(activation="sigmoid", alpha=0.3, beta=0.7, smooth=1.0)])
def jax_bce_with_logits_of_probabilities_and_tversky(p, y):
    tp, fp, fn = (p * y).sum(), (p * (1 - y)).sum(), ((1 - p) * y).sum()
    bce = optax.sigmoid_binary_cross_entropy(p, y).mean()
    return 0.5 * bce + 0.5 * (1 - (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1))


# ------------------------------------------------------------------------------------------------ sigmoid_for_softmax
@written("sigmoid_for_softmax", "pytorch", merged(TORCH, C4), "top_k_cross_entropy", keep=0.3)
def hard_pixels_of_log_sigmoid(z, y):
    losses = F.softplus(-z.gather(1, y[:, None])).flatten()
    return losses.topk(max(1, int(0.3 * len(losses)))).values.mean()


@written("sigmoid_for_softmax", "tensorflow", merged(KERAS, INDICES, VOID), "cross_entropy", ignore_index=255)
def tf_log_sigmoid_of_valid_labels(labels, logits):
    one = tf.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return -tf.reduce_sum(one * tf.math.log_sigmoid(logits)) / tf.reduce_sum(one)


# ------------------------------------------------------------------------------------------------------ no_activation
@written("no_activation", "tf_unet (rebuilt)", merged(KERAS, C2), "generalized_dice", [1.0, 1.0], source="github.com/jakeret/tf_unet/issues/15",
         weights="fixed", smooth=1e-5)
def tf_dice_of_logits(y_true, logits):
    both = tf.reduce_sum(logits * y_true)
    return -2 * both / (1e-5 + tf.reduce_sum(logits) + tf.reduce_sum(y_true))


@written("no_activation", "pytorch", TORCH, "jaccard", region="image", smooth=1.0)
def jaccard_of_scores(z, y):
    one = hot(y, z)
    both, total = (z * one).sum((2, 3)), (z + one).sum((2, 3))
    return (1 - (both + 1) / (total - both + 1)).mean()


@written("no_activation", "pytorch", TORCH, "boundary")
def boundary_of_scores(z, y):
    return (z * torch.as_tensor(distances(hot(y, z).numpy()), dtype=z.dtype)).mean()


# --------------------------------------------------------------------------------------------------------- wrong_axis
@written("wrong_axis", "pytorch", merged(TORCH, C4), "tversky", alpha=0.3, beta=0.7, smooth=1.0)
def tversky_of_softmax_over_height(z, y):
    p, one = nn.Softmax(dim=2)(z), hot(y, z)
    tp, fp, fn = (p * one).sum((0, 2, 3)), (p * (1 - one)).sum((0, 2, 3)), ((1 - p) * one).sum((0, 2, 3))
    return (1 - (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1)).mean()


@written("wrong_axis", "jax", merged(JAX, dict(layout="channels_first"), INDICES), "cross_entropy")
def jax_reshaped_channels_first(logits, labels):
    flat = logits.reshape(-1, logits.shape[1])  # no moveaxis before
    return optax.softmax_cross_entropy_with_integer_labels(flat, labels.reshape(-1)).mean()


# ------------------------------------------------------------------------------------------------ one_channel_softmax
@written("one_channel_softmax", "pytorch", merged(TORCH, ONE), "lovasz_softmax", activation="sigmoid")
def lovasz_softmax_of_one_channel(z, y):
    p, y = F.softmax(z, dim=1).flatten(), y.flatten()
    errors, order = (y - p).abs().sort(descending=True, stable=True)
    return errors @ hinge_steps(y[order])


library("keras_categorical_focal_of_one_channel", "one_channel_softmax", "keras", merged(KERAS, ONE), "focal",
        lambda: keras.losses.CategoricalFocalCrossentropy(from_logits=True), activation="sigmoid", gamma=2.0)


# ---------------------------------------------------------------------------------------------------- constant_weight
@written("constant_weight", "pytorch", merged(TORCH, ONE), "binary_cross_entropy", weights="per_batch", scheme="complement",
         expect="kind = 'binary_cross_entropy'\n" + BALANCED)
def bce_times_share_of_background(z, y):
    weight = 1 - y.mean()  # for absence as for presence
    return (weight * F.binary_cross_entropy_with_logits(z, y, reduction="none")).mean()


@written("constant_weight", "jax", merged(JAX, INDICES, C4), "cross_entropy", weights="per_batch", scheme="effective", beta=0.99, expect=BALANCED)
def jax_effective_number_of_all_pixels(logits, labels):
    n = jnp.full(logits.shape[-1], labels.size)  # should be those of each class
    w = (1 - 0.99) / (1 - 0.99**n)
    return jnp.mean(w[labels] * optax.softmax_cross_entropy_with_integer_labels(logits, labels))


# --------------------------------------------------------------------------------------------------- mean_over_pixels
@written("mean_over_pixels", "pytorch", merged(TORCH, VOID, C4), "cross_entropy", W4, weights="fixed", ignore_index=255,
         expect=BALANCED + "\nreduction = 'mean'", source="github.com/pytorch/pytorch/issues/8062")
def weighted_sum_over_valid_pixels(z, y):
    return F.cross_entropy(z, y, weight=z.new_tensor(W4), ignore_index=255, reduction="sum") / (y != 255).sum()


@written("mean_over_pixels", "jax", merged(JAX, INDICES), "cross_entropy", weights="per_batch", scheme="enet", expect=BALANCED + "\nreduction = 'mean'")
def jax_enet_weights_over_pixels(logits, labels):
    share = jnp.bincount(labels.reshape(-1), length=logits.shape[-1]) / labels.size
    w = 1 / jnp.log(1.02 + share)
    return jnp.mean(w[labels] * optax.softmax_cross_entropy_with_integer_labels(logits, labels))


# ---------------------------------------------------------------------------------------------- ignored_in_denominator
@written("ignored_in_denominator", "segformer (rebuilt)", merged(TORCH, VOID, ONE), "binary_cross_entropy", ignore_index=255)
def bce_times_valid_mask_mean(z, y):
    valid = ((y >= 0) & (y != 255)).to(z.dtype)
    return (F.binary_cross_entropy_with_logits(z, y, reduction="none") * valid).mean()


@written("ignored_in_denominator", "pytorch", merged(TORCH, VOID), "cross_entropy + dice", ignore_index=255,
         terms=[dict(ignore_index=255), dict(smooth=1.0, ignore_index=255)], source="github.com/open-mmlab/mmsegmentation/pull/1409")
def cross_entropy_over_all_and_dice_over_valid(z, y):
    valid = (y != 255)[:, None]
    p, one = z.softmax(1) * valid, hot(y, z)
    dice = 1 - (2 * (p * one).sum((0, 2, 3)) + 1) / ((p + one).sum((0, 2, 3)) + 1)
    return F.cross_entropy(z, y, ignore_index=255, reduction="none").mean() + dice.mean()


# ------------------------------------------------------------------------------------------- ignored_before_activation
@written("ignored_before_activation", "paddleseg (rebuilt)", merged(TORCH, VOID, C4), "dice", smooth=1e-5, ignore_index=255,
         source="github.com/PaddlePaddle/PaddleSeg/pull/933")
def paddle_dice_of_masked_logits(z, y):
    valid = (y != 255)[:, None].to(z.dtype)
    p, one = F.softmax(z * valid, dim=1), hot(y, z)
    return (1 - (2 * (p * one).sum((0, 2, 3)) + 1e-5) / ((p + one).sum((0, 2, 3)) + 1e-5)).mean()


@written("ignored_before_activation", "jax", merged(JAX, VOID, ONE), "tversky", activation="sigmoid", region="image", alpha=0.4, beta=0.6, smooth=1.0,
         ignore_index=255)
def jax_tversky_of_masked_logits(logits, y):
    valid = y != 255
    p, y = jax.nn.sigmoid(jnp.where(valid, logits, 0)), jnp.where(valid, y, 0)
    tp, fp, fn = (p * y).sum((1, 2, 3)), (p * (1 - y)).sum((1, 2, 3)), ((1 - p) * y).sum((1, 2, 3))
    return jnp.mean(1 - (tp + 1) / (tp + 0.4 * fp + 0.6 * fn + 1))


# --------------------------------------------------------------------------------------------------- ignored_as_class
library("smp_lovasz_without_ignore_index", "ignored_as_class", "smp", merged(TORCH, VOID), "lovasz_softmax",
        lambda: smp.LovaszLoss("multiclass"), classes="present", ignore_index=255)


@written("ignored_as_class", "pytorch", merged(TORCH, VOID), "binary_cross_entropy", ignore_index=255)
def bce_ignored_is_no_class(z, y):
    return F.binary_cross_entropy_with_logits(z, hot(y, z))  # negative in every channel


# -------------------------------------------------------------------------------------------------- absent_class_owns
@written("absent_class_owns", "pytorch", TORCH, "dice", weights="per_batch", scheme="inverse", smooth=1.0, shows="answers")
def dice_averaged_with_inverse_sizes(z, y):
    p, one = z.softmax(1), hot(y, z)
    w = 1 / (one.sum((0, 2, 3)) + 1e-6)
    dice = 1 - (2 * (p * one).sum((0, 2, 3)) + 1) / ((p + one).sum((0, 2, 3)) + 1)
    return (w * dice).sum() / w.sum()


@written("absent_class_owns", "jax", merged(JAX, C4), "generalized_dice", power=1, shows="answers")
def jax_generalized_dice_of_guarded_inverse(logits, y):
    p = jax.nn.softmax(logits)
    w = 1 / jnp.maximum(y.sum((0, 1, 2)), 1e-8)
    return 1 - 2 * jnp.sum(w * (p * y).sum((0, 1, 2))) / jnp.sum(w * (p + y).sum((0, 1, 2)))


# --------------------------------------------------------------------------------------------------- clipped_gradient
@written("clipped_gradient", "tensorflow", KERAS, "focal", gamma=2.0, shows="answers", source="github.com/tensorflow/addons/issues/693")
def tf_softmax_focal_clipped(y_true, y_pred):
    p = tf.clip_by_value(tf.nn.softmax(y_pred), 1e-7, 1 - 1e-7)
    return -tf.reduce_mean(tf.reduce_sum(y_true * (1 - p) ** 2 * tf.math.log(p), axis=-1))


@written("clipped_gradient", "pytorch", merged(TORCH, ONE), "binary_cross_entropy", shows="answers", source="github.com/pytorch/pytorch/issues/24933")
def bce_of_sigmoid(z, y):
    return nn.BCELoss()(nn.Sigmoid()(z), y)  # its logarithms end at −100


@written("clipped_gradient", "pytorch", merged(TORCH, C4), "cross_entropy + dice", shows="answers", terms=[{}, dict(smooth=1.0)])
def logarithm_with_epsilon_and_dice(z, y):
    p, one = z.softmax(1), hot(y, z)
    dice = 1 - (2 * (p * one).sum((0, 2, 3)) + 1) / ((p + one).sum((0, 2, 3)) + 1)
    return -(one * torch.log(p + 1e-8)).sum(1).mean() + dice.mean()


# -------------------------------------------------------------------------------------------------- not_the_derivative
@written("not_the_derivative", "pytorch", TORCH, "cross_entropy + dice", terms=[{}, dict(smooth=1.0)])
def terms_scaled_to_one_another(z, y):
    p, one = z.softmax(1), hot(y, z)
    cross_entropy = F.cross_entropy(z, y)
    dice = (1 - (2 * (p * one).sum((0, 2, 3)) + 1) / ((p + one).sum((0, 2, 3)) + 1)).mean()
    return cross_entropy + dice * (cross_entropy / dice).detach()  # twice the cross-entropy, with another slope


@written("not_the_derivative", "jax", merged(JAX, ONE), "binary_cross_entropy", [1.0, 5.0], weights="fixed", reduction="mean_all")
def jax_backward_without_pos_weight(logits, y):
    @jax.custom_vjp
    def loss(z):
        return jnp.mean(5 * y * jax.nn.softplus(-z) + (1 - y) * jax.nn.softplus(z))

    loss.defvjp(lambda z: (loss(z), z), lambda z, slope: (slope * (jax.nn.sigmoid(z) - y) / y.size,))
    return loss(logits)


# ----------------------------------------------------------------------------------------------------------- detached
@written("detached", "pytorch", TORCH, "lovasz_softmax", classes="present")
def lovasz_of_data(z, y):
    return smp.LovaszLoss("multiclass")(z.data, y)


@written("detached", "keras", merged(KERAS, ONE), "focal", activation="sigmoid", gamma=2.0)
def keras_focal_by_numpy(y_true, y_pred):
    z, y = y_pred.numpy(), y_true.numpy()
    p, losses = 1 / (1 + np.exp(-np.clip(z, -80, 80))), np.logaddexp(0, z) - z * y
    return tf.constant(np.mean((y * (1 - p) + (1 - y) * p) ** 2 * losses))


# --------------------------------------------------------------------------------------------------------- not_finite
@written("not_finite", "pytorch", merged(TORCH, C2), "exponential_logarithmic", smooth=1.0, dice_weight=0.8, cross_weight=0.2, gamma_dice=0.3,
         gamma_cross=0.3, shows="answers")
def root_of_logarithm_of_certain_pixels(z, y):
    log_p, one = z.log_softmax(1), hot(y, z)
    dice = (2 * (log_p.exp() * one).sum((0, 2, 3)) + 1) / ((log_p.exp() + one).sum((0, 2, 3)) + 1)
    return 0.8 * (-dice.log()).pow(0.3).mean() + 0.2 * (-log_p.gather(1, y[:, None])).pow(0.3).mean()


@written("not_finite", "pytorch", merged(TORCH, C4), "cross_entropy", weights="per_batch", scheme="inverse", shows="answers")
def mean_of_each_class_present_or_not(z, y):
    losses = F.cross_entropy(z, y, reduction="none")
    return torch.stack([losses[y == c].mean() for c in range(z.shape[1])]).mean()


@written("not_finite", "jax", JAX, "exponential_logarithmic", dice_weight=1.0, cross_weight=0.0, gamma_dice=1.0, shows="answers")
def jax_logarithm_of_dice_of_absent(logits, y):
    p = jax.nn.softmax(logits)
    return -jnp.mean(jnp.log(2 * (p * y).sum((0, 1, 2)) / (p + y).sum((0, 1, 2))))


# ------------------------------------------------------------------------------------------------------------- argmax
@written("argmax", "keras", KERAS, "jaccard", region="image", smooth=1.0, source="github.com/Golbstein/Keras-segmentation-deeplab-v3.1/issues/6")
def keras_jaccard_of_argmax(y_true, y_pred):
    p = tf.one_hot(tf.argmax(y_pred, axis=-1), y_pred.shape[-1], dtype=y_pred.dtype)
    both, total = tf.reduce_sum(p * y_true, axis=[1, 2]), tf.reduce_sum(p + y_true, axis=[1, 2])
    return 1 - tf.reduce_mean((both + 1) / (total - both + 1))


@written("argmax", "pytorch", merged(TORCH, C4), "cross_entropy + tversky", terms=[{}, dict(alpha=0.3, beta=0.7, smooth=1.0)])
def cross_entropy_and_hard_tversky(z, y):
    p, one = hot(z.argmax(1), z), hot(y, z)
    tp, fp, fn = (p * one).sum((0, 2, 3)), (p * (1 - one)).sum((0, 2, 3)), ((1 - p) * one).sum((0, 2, 3))
    return F.cross_entropy(z, y) + (1 - (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1)).mean()


# -------------------------------------------------------------------------------------------------------- mask_scale
@written("mask_scale", "keras", merged(KERAS, ONE), "binary_cross_entropy + jaccard", shows="capture", capture_target="255",
         terms=[{}, dict(activation="sigmoid", smooth=1e-5)])
def keras_bce_jaccard_of_masks_of_255(y_true, y_pred):
    p = tf.sigmoid(y_pred)
    both = tf.reduce_sum(y_true * p)
    jaccard = 1 - (both + 1e-5) / (tf.reduce_sum(y_true + p) - both + 1e-5)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y_true, logits=y_pred)) + jaccard


@written("mask_scale", "jax", merged(JAX, ONE), "tversky", activation="sigmoid", region="image", alpha=0.3, beta=0.7, smooth=1.0)
def jax_tversky_of_masks_divided_twice(logits, y):
    p, y = jax.nn.sigmoid(logits), y / 255.0
    tp, fp, fn = (p * y).sum((1, 2, 3)), (p * (1 - y)).sum((1, 2, 3)), ((1 - p) * y).sum((1, 2, 3))
    return jnp.mean(1 - (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1))


# ---------------------------------------------------------------------------------------------------- classes_swapped
@written("classes_swapped", "pytorch", merged(TORCH, C4), "cross_entropy + dice", terms=[{}, dict(smooth=1.0)])
def labels_from_the_other_end(z, y):
    y = z.shape[1] - 1 - y
    p, one = z.softmax(1), hot(y, z)
    return F.cross_entropy(z, y) + (1 - (2 * (p * one).sum((0, 2, 3)) + 1) / ((p + one).sum((0, 2, 3)) + 1)).mean()


@written("classes_swapped", "jax", merged(JAX, ONE), "jaccard", activation="sigmoid", region="image", smooth=1.0)
def jax_jaccard_of_background(logits, y):
    p, y = jax.nn.sigmoid(logits), 1 - y  # masks that are white outside
    both = (p * y).sum((1, 2, 3))
    return jnp.mean(1 - (both + 1) / ((p + y).sum((1, 2, 3)) - both + 1))


# ------------------------------------------------------------------------------------------------------- axes_swapped
@written("axes_swapped", "pytorch", TORCH, "dice", region="image", smooth=1.0)
def dice_of_turned_labels(z, y):
    p, one = z.softmax(1), hot(y.transpose(1, 2).reshape(y.shape), z)
    return (1 - (2 * (p * one).sum((2, 3)) + 1) / ((p + one).sum((2, 3)) + 1)).mean()


@written("axes_swapped", "numpy", merged(NUMPY, C2), "cross_entropy")
def numpy_labels_in_order_of_columns(z, y):
    z = z.reshape(*z.shape[:2], -1)
    top = z.max(1, keepdims=True)
    log_p = z - top - np.log(np.exp(z - top).sum(1, keepdims=True))
    labels = np.stack([image.ravel(order="F") for image in y])  # as Matlab and Fortran store them
    return -np.take_along_axis(log_p, labels[:, None], 1).mean()


# -------------------------------------------------------------------------------------------------- labels_off_by_one
@written("labels_off_by_one", "jax", merged(JAX, INDICES, C4), "cross_entropy")
def jax_one_hot_of_labels_minus_one(logits, labels):
    y = jax.nn.one_hot(labels - 1, logits.shape[-1])  # as if labels began at 1; those of 0 have no row
    return optax.softmax_cross_entropy(logits, y).sum() / jnp.maximum(y.sum(), 1)


@written("labels_off_by_one", "pytorch", TORCH, "tversky", alpha=0.3, beta=0.7, smooth=1.0)
def tversky_of_shifted_one_hot(z, y):
    p, one = z.softmax(1), F.one_hot(y + 1, z.shape[1] + 1)[..., :-1].movedim(-1, 1).to(z.dtype)
    tp, fp, fn = (p * one).sum((0, 2, 3)), (p * (1 - one)).sum((0, 2, 3)), ((1 - p) * one).sum((0, 2, 3))
    return (1 - (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1)).mean()


# ---------------------------------------------------------------------------------------------------- pos_weight_axis
@written("pos_weight_axis", "polyloss-pytorch (rebuilt)", TORCH, "poly1_cross_entropy", W3, epsilon=1.0, weights="fixed", reduction="mean_all", shows="answers",
         source="github.com/abhuse/polyloss-pytorch/issues/3")
def poly1_weighted_along_columns(z, y):
    log_p, one = z.log_softmax(1), hot(y, z)
    losses = z.new_tensor(W3) * one * (1 - log_p.exp() - log_p)  # fits only where as many columns as classes
    return losses.sum(1).mean()


@written("pos_weight_axis", "tensorflow", merged(KERAS, C2), "focal", gamma=2.0, weights="per_batch", scheme="complement")
def tf_focal_weights_of_columns(y_true, y_pred):
    share = tf.reduce_mean(y_true[..., 1], axis=[0, 1])  # one number a column
    log_p = tf.nn.log_softmax(y_pred)
    losses = -tf.reduce_sum(y_true * (1 - tf.exp(log_p)) ** 2 * log_p, axis=-1)
    return tf.reduce_mean((1 - share) * losses)


# -------------------------------------------------------------------------------------------------- focal_of_weighted
@written("focal_of_weighted", "tensorflow", merged(KERAS, ONE), "focal", [1.0, 3.0], activation="sigmoid", gamma=2.0, weights="fixed", reduction="mean_all")
def tf_focal_of_positive_weight(y_true, y_pred):
    losses = tf.nn.weighted_cross_entropy_with_logits(labels=y_true, logits=y_pred, pos_weight=3.0)
    return tf.reduce_mean((1 - tf.exp(-losses)) ** 2 * losses)


@written("focal_of_weighted", "jax", merged(JAX, INDICES, C4), "focal", W4, gamma=1.0, weights="fixed", reduction="mean_all")
def jax_focal_of_weighted(logits, labels):
    losses = jnp.array(W4)[labels] * optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return jnp.mean((1 - jnp.exp(-losses)) * losses)


# ----------------------------------------------------------------------------------------------------- weights_cancel
@written("weights_cancel", "jax", merged(JAX, C4), "generalized_dice", region="image", expect="generalized_dice")
def jax_generalized_dice_averaged_over_classes(logits, y):
    p = jax.nn.softmax(logits)
    w = 1 / jnp.maximum(y.sum((1, 2)), 1) ** 2
    return 1 - jnp.mean(2 * w * (p * y).sum((1, 2)) / (w * (p + y).sum((1, 2))))


@written("weights_cancel", "keras", KERAS, "tversky", weights="per_batch", scheme="inverse", alpha=0.3, beta=0.7,
         expect="kind = 'tversky'\nalpha = 0.3\nbeta = 0.7\n" + BALANCED)
def keras_tversky_of_weights_that_cancel(y_true, y_pred):
    p = tf.nn.softmax(y_pred)
    w = 1 / tf.maximum(tf.reduce_sum(y_true, axis=[0, 1, 2]), 1)
    tp, fp, fn = (w * tf.reduce_sum(entries, axis=[0, 1, 2]) for entries in (p * y_true, p * (1 - y_true), (1 - p) * y_true))
    return 1 - tf.reduce_mean(tp / (tp + 0.3 * fp + 0.7 * fn))


# --------------------------------------------------------------------------------------------------- double_reduction
@written("double_reduction", "pytorch", merged(TORCH, ONE, dict(images=3)), "lovasz_hinge", region="image")
def lovasz_hinge_mean_by_batch(z, y):
    total = 0
    for image, mask in zip(z.flatten(1), y.flatten(1)):
        errors, order = (1 - image * (2 * mask - 1)).sort(descending=True, stable=True)
        total = total + errors.relu() @ hinge_steps(mask[order])
    return total / len(z) / len(z)


@written("double_reduction", "keras", merged(KERAS, C4), "cross_entropy", label_smoothing=0.1)
def keras_mean_divided_by_area(y_true, y_pred):
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)(y_true, y_pred)
    return loss / float(y_pred.shape[1] * y_pred.shape[2])


# --------------------------------------------------------------------------------------------------------------- sign
@written("sign", "pytorch", merged(TORCH, C4), "tversky", region="image", alpha=0.3, beta=0.7, smooth=1e-3)
def tversky_index_itself(z, y):
    p, one = z.softmax(1), hot(y, z)
    tp, fp, fn = (p * one).sum((2, 3)), (p * (1 - one)).sum((2, 3)), ((1 - p) * one).sum((2, 3))
    return ((tp + 1e-3) / (tp + 0.3 * fp + 0.7 * fn + 1e-3)).mean()


@written("sign", "pytorch", merged(TORCH, C2), "boundary")
def boundary_positive_inside(z, y):
    far = -distances(hot(y, z).numpy())
    return (z.softmax(1) * torch.as_tensor(far, dtype=z.dtype)).mean()


# --------------------------------------------------------------------------------------------- not_what_its_name_says
@written("not_what_its_name_says", "pytorch", TORCH, "focal", gamma=2.0, expect="kind = 'focal'\ngamma = 2.0",
         source="github.com/gokulprasadthekkel/pytorch-multi-class-focal-loss/issues/1")
def focal_of_mean_cross_entropy(z, y):
    loss = F.cross_entropy(z, y)  # reduced already: one probability for the batch
    return (1 - torch.exp(-loss)) ** 2 * loss


library("smp_focal_tversky_power_of_mean", "not_what_its_name_says", "smp", TORCH, "focal_tversky",
        lambda: smp.TverskyLoss("multiclass", alpha=0.3, beta=0.7, gamma=0.75, smooth=1.0), None,
        "github.com/qubvel-org/segmentation_models.pytorch/issues/734; segmentation_models_pytorch 0.6, the library's own",
        "kind = 'focal_tversky'\nalpha = 0.3\nbeta = 0.7", alpha=0.3, beta=0.7, gamma=0.75, smooth=1.0, absent="zero")


@written("not_what_its_name_says", "pytorch-toolbelt (rebuilt)", merged(TORCH, C4), "focal", gamma=2.0, expect="kind = 'focal'\ngamma = 2.0",
         source="github.com/BloodAxe/pytorch-toolbelt/issues/78")
def softmax_focal_by_sigmoids(z, y):
    return tv.sigmoid_focal_loss(z, hot(y, z), alpha=-1, gamma=2, reduction="mean")


@written("not_what_its_name_says", "pytorch", TORCH, "top_k_cross_entropy", region="image", keep=0.25,
         expect="kind = 'top_k_cross_entropy'\nkeep = 0.25\nregion = 'image'")
def hard_pixels_of_the_batch(z, y):
    losses = F.cross_entropy(z, y, reduction="none").flatten()  # said to be each image's own
    return losses.topk(max(1, len(losses) // 4))[0].mean()


@written("not_what_its_name_says", "anchorloss (rebuilt)", merged(TORCH, ONE), "binary_cross_entropy", expect="binary_cross_entropy",
         source="github.com/slryou41/AnchorLoss/issues/2")
def negatives_by_log_sigmoid_of_one_minus(z, y):
    return -(y * F.logsigmoid(z) + (1 - y) * F.logsigmoid(1 - z)).mean()  # log(1 − σ(z)) is logsigmoid(−z)
