"""More losses with a fault each, made without knowing what the search finds; none is anybody's code.

`kind`, `options` and `source` are as in `first_wrong.py`.
"""
from .case import CHANNEL, INDICES, JAX, KERAS, NUMPY, ONE, PROBABILITIES, TORCH, VOID, Lazy, merged, wrong_ones

np, torch, F, nn = Lazy("numpy"), Lazy("torch"), Lazy("torch.nn.functional"), Lazy("torch.nn")
tf, keras = Lazy("tensorflow"), Lazy("keras")
jax, jnp, optax = Lazy("jax"), Lazy("jax.numpy"), Lazy("optax")
monai, tv = Lazy("monai.losses"), Lazy("torchvision.ops")

CASES, library, written = wrong_ones("second")
W3, W4 = [0.4, 1.1, 3.0], [0.4, 1.0, 2.5, 5.0]
C2, C4 = dict(classes=2), dict(classes=4)
BALANCED = "weights = { source = 'per_batch' }"  # whose weights were meant to follow the classes


def hot(y, like):
    """Labels as (N, C, H, W)."""
    return torch.eye(like.shape[1], dtype=like.dtype)[y].permute(0, 3, 1, 2)


# ----------------------------------------------------------------------------------------------------- softmax_twice
@written("softmax_twice", "tensorflow", merged(KERAS, PROBABILITIES, C2), "cross_entropy + dice", terms=[{}, dict(region="image", smooth=1e-5)],
         source="github.com/NVIDIA/DeepLearningExamples/issues/468")
def tf_cross_entropy_and_dice_of_softmax_output(y_true, y_pred):
    cross_entropy = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_true, logits=y_pred))  # y_pred is a softmax already
    both = tf.reduce_sum(y_true * y_pred, axis=[1, 2])
    dice = (2 * both + 1e-5) / (tf.reduce_sum(y_true + y_pred, axis=[1, 2]) + 1e-5)
    return cross_entropy + tf.reduce_mean(1 - dice)


library("torchvision_focal_of_sigmoid", "softmax_twice", "torchvision", merged(TORCH, ONE), "focal",
        lambda: lambda z, y: tv.sigmoid_focal_loss(torch.sigmoid(z), y, alpha=0.25, gamma=2, reduction="mean"), [0.75, 0.25],
        activation="sigmoid", gamma=2.0, weights="fixed", reduction="mean_all")
library("monai_tversky_of_softmax_output", "softmax_twice", "monai", merged(TORCH, CHANNEL, PROBABILITIES), "tversky",
        lambda: monai.TverskyLoss(to_onehot_y=True, softmax=True, alpha=0.3, beta=0.7), None,
        region="image", alpha=0.3, beta=0.7, smooth=1e-5)


# ------------------------------------------------------------------------------------------------ sigmoid_for_softmax
@written("sigmoid_for_softmax", "tensorflow", merged(KERAS, C4), "focal", gamma=1.5, factor=0.25,
         source="github.com/ChiefGodMan/Focal-Loss-implement-on-Tensorflow/issues/10")
def tf_focal_of_positives_only(y_true, y_pred):
    missing = tf.where(y_true > 0, 1 - tf.sigmoid(y_pred), tf.zeros_like(y_pred))
    entries = 0.25 * missing**1.5 * tf.nn.softplus(-y_pred)  # the term of the negatives was left out
    return tf.reduce_mean(tf.reduce_sum(entries, axis=-1))


@written("sigmoid_for_softmax", "jax", JAX, "cross_entropy")
def jax_log_sigmoid_of_the_label(logits, y):
    return -jnp.sum(y * jax.nn.log_sigmoid(logits)) / (y.shape[0] * y.shape[1] * y.shape[2])


# --------------------------------------------------------------------------------------------------------- wrong_axis
@written("wrong_axis", "pytorch", TORCH, "dice", region="image", smooth=1.0)
def dice_of_softmax_over_positions(z, y):
    p = F.softmax(z.flatten(2), dim=2)  # batch × classes × (height·width)
    one = hot(y, z).flatten(2)
    return (1 - (2 * (p * one).sum(2) + 1) / (p.sum(2) + one.sum(2) + 1)).mean()


@written("wrong_axis", "keras", merged(KERAS, C2), "jaccard", smooth=1e-3)
def keras_jaccard_of_softmax_over_rows(y_true, y_pred):
    p = tf.nn.softmax(y_pred, axis=1)  # right where channels come first
    both = tf.reduce_sum(y_true * p, axis=[0, 1, 2])
    either = tf.reduce_sum(y_true + p, axis=[0, 1, 2]) - both
    return 1 - tf.reduce_mean((both + 1e-3) / (either + 1e-3))


# ------------------------------------------------------------------------------------------------ one_channel_softmax
@written("one_channel_softmax", "jax", merged(JAX, ONE), "binary_cross_entropy", source="github.com/open-mmlab/mmsegmentation/issues/2201")
def jax_softmax_cross_entropy_of_one_channel(logits, y):
    return jnp.mean(optax.softmax_cross_entropy(logits, y))


@written("one_channel_softmax", "keras", merged(KERAS, ONE), "tversky", activation="sigmoid", alpha=0.3, beta=0.7, smooth=1.0)
def keras_tversky_of_one_channel(y_true, y_pred):
    p = keras.activations.softmax(y_pred, axis=-1)  # as the last layer of the many-class network had it
    tp, fp, fn = tf.reduce_sum(p * y_true), tf.reduce_sum(p * (1 - y_true)), tf.reduce_sum((1 - p) * y_true)
    return 1 - (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1)


# ---------------------------------------------------------------------------------------------------- constant_weight
@written("constant_weight", "keras", merged(KERAS, ONE), "focal", [0.75, 0.25], source="github.com/mkocabas/focal-loss-keras/issues/6",
         activation="sigmoid", gamma=2.0, weights="fixed", expect="kind = 'focal'\nactivation = 'sigmoid'\n" + BALANCED)
def keras_focal_one_alpha_for_both(y_true, y_pred):
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=y_true, logits=y_pred)
    missing = y_true * tf.sigmoid(-y_pred) + (1 - y_true) * tf.sigmoid(y_pred)
    return tf.reduce_mean(0.25 * missing**2 * cross_entropy)


@written("constant_weight", "pytorch", merged(TORCH, C4), "cross_entropy", weights="per_batch", scheme="complement", expect=BALANCED)
def one_minus_the_mean_of_all(z, y):
    weight = (1 - hot(y, z).mean()).expand(z.shape[1])  # the mean over classes, too: 1 − 1/C
    return F.cross_entropy(z, y, weight=weight, reduction="sum") / y.numel()


# --------------------------------------------------------------------------------------------------- mean_over_pixels
@written("mean_over_pixels", "keras", merged(KERAS, INDICES), "cross_entropy", W3, weights="fixed", expect=BALANCED + "\nreduction = 'mean'")
def keras_class_weights_as_sample_weights(y_true, y_pred):
    weight = tf.gather(tf.constant(W3, y_pred.dtype), y_true)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)(y_true, y_pred, sample_weight=weight)


@written("mean_over_pixels", "pytorch", merged(TORCH, C4), "focal", W4, gamma=2.0, weights="fixed", source="github.com/pytorch/pytorch/issues/65329",
         expect="kind = 'focal'\n" + BALANCED + "\nreduction = 'mean'")
def weighted_focal_over_pixels(z, y):
    own = z.log_softmax(1).gather(1, y[:, None])[:, 0]
    return (z.new_tensor(W4)[y] * (1 - own.exp()) ** 2 * -own).mean()


# ---------------------------------------------------------------------------------------------- ignored_in_denominator
@written("ignored_in_denominator", "keras", merged(KERAS, INDICES, VOID), "cross_entropy", ignore_index=255,
         source="github.com/ethz-asl/background_foreground_segmentation/issues/25")
def keras_mask_as_sample_weight(y_true, y_pred):
    valid = tf.not_equal(y_true, 255)
    labels = tf.where(valid, y_true, tf.zeros_like(y_true))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum_over_batch_size")
    return loss(labels, y_pred, sample_weight=tf.cast(valid, y_pred.dtype))


@written("ignored_in_denominator", "jax", merged(JAX, INDICES, VOID, C4), "cross_entropy", ignore_index=255)
def jax_one_hot_of_ignored(logits, labels):
    y = jax.nn.one_hot(labels, logits.shape[-1])  # 255 is no class: a row of zeros
    return optax.softmax_cross_entropy(logits, y).mean()


# ------------------------------------------------------------------------------------------- ignored_before_activation
@written("ignored_before_activation", "keras", merged(KERAS, VOID, ONE), "binary_cross_entropy", ignore_index=255,
         source="github.com/THU-DA-6D-Pose-Group/GDR-Net/issues/103")
def keras_bce_of_masked_logits(y_true, y_pred):
    valid = tf.cast(y_true < 2, y_pred.dtype)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=y_true * valid, logits=y_pred * valid)
    return tf.reduce_sum(losses) / tf.reduce_sum(valid)


@written("ignored_before_activation", "jax", merged(JAX, INDICES, VOID), "jaccard", smooth=1.0, ignore_index=255)
def jax_jaccard_of_masked_logits(logits, labels):
    valid = (labels != 255)[..., None]
    p, y = jax.nn.softmax(logits * valid), jax.nn.one_hot(labels, logits.shape[-1])
    both = (p * y).sum((0, 1, 2))
    return 1 - jnp.mean((both + 1) / (p.sum((0, 1, 2)) + y.sum((0, 1, 2)) - both + 1))


# --------------------------------------------------------------------------------------------------- ignored_as_class
@written("ignored_as_class", "pytorch", merged(TORCH, VOID, ONE), "focal + dice", ignore_index=255, source="github.com/facebookresearch/MaskFormer/issues/57",
         factors=[20.0, 1.0],
         terms=[dict(activation="sigmoid", gamma=2.0, ignore_index=255), dict(activation="sigmoid", region="image", smooth=1.0, ignore_index=255)])
def mask_losses_ignored_is_background(z, y):
    y = (y == 1).to(z.dtype)
    p, t = z.sigmoid().flatten(1), y.flatten(1)
    dice = 1 - (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)
    return 20 * tv.sigmoid_focal_loss(z, y, alpha=-1, reduction="mean") + dice.mean()


@written("ignored_as_class", "pytorch", merged(TORCH, VOID), "cross_entropy + dice", ignore_index=255, terms=[dict(ignore_index=255), dict(smooth=1e-5, ignore_index=255)],
         source="github.com/allenai/olmoearth_pretrain/pull/560")
def cross_entropy_of_filled_target(z, y):
    valid = y != 255
    filled = y.masked_fill(~valid, 0)
    p, one = z.softmax(1) * valid[:, None], hot(filled, z) * valid[:, None]
    dice = (2 * (p * one).sum((0, 2, 3)) + 1e-5) / ((p + one).sum((0, 2, 3)) + 1e-5)
    return F.cross_entropy(z, filled, ignore_index=255) + 1 - dice.mean()  # ignores what is no longer there


@written("ignored_as_class", "numpy", merged(NUMPY, dict(ignored=-1)), "cross_entropy", ignore_index=-1)
def numpy_minus_one_is_the_last(z, y):
    z = z - z.max(1, keepdims=True)
    log_p = np.moveaxis(z - np.log(np.exp(z).sum(1, keepdims=True)), 1, -1).reshape(-1, z.shape[1])
    return -log_p[np.arange(y.size), y.ravel()].mean()


# -------------------------------------------------------------------------------------------------- absent_class_owns
@written("absent_class_owns", "keras", merged(KERAS, PROBABILITIES), "generalized_dice", source="github.com/keras-team/keras/issues/10890")
def keras_generalized_dice_of_clipped_weights(y_true, y_pred):
    w = tf.clip_by_value(1 / tf.reduce_sum(y_true, axis=[0, 1, 2]) ** 2, 1e-17, 1 - 1e-7)  # of an absent class 1, of another 1e-4
    both = tf.reduce_sum(w * tf.reduce_sum(y_true * y_pred, axis=[0, 1, 2]))
    total = tf.reduce_sum(w * tf.reduce_sum(y_true + y_pred, axis=[0, 1, 2]))
    return 1 - 2 * (both + 1e-17) / (total + 1e-17)


@written("absent_class_owns", "pytorch", merged(TORCH, C4), "generalized_dice", region="image", smooth=1e-5)
def generalized_dice_of_absent_in_an_image(z, y):
    p, one = z.softmax(1), hot(y, z)
    w = 1 / (one.sum((2, 3)).square() + 1e-9)
    both = (w * (p * one).sum((2, 3))).sum(1)
    return (1 - (2 * both + 1e-5) / ((w * (p + one).sum((2, 3))).sum(1) + 1e-5)).mean()


# --------------------------------------------------------------------------------------------------- clipped_gradient
@written("clipped_gradient", "pytorch", merged(TORCH, C4), "cross_entropy", source="github.com/DigiRL-agent/digirl/issues/22")
def log_of_clamped_softmax(z, y):
    p = torch.take_along_dim(nn.Softmax(dim=1)(z), y.unsqueeze(1), dim=1)
    return -torch.clamp(p, min=0.001, max=0.99).log().mean()


@written("clipped_gradient", "keras", merged(KERAS, ONE), "focal", [0.75, 0.25], activation="sigmoid", gamma=2.0, weights="fixed", reduction="mean_all",
         source="github.com/hwei-hw/FocalLoss_Keras/issues/1")
def keras_focal_clipped(y_true, y_pred):
    p = tf.clip_by_value(tf.sigmoid(y_pred), 1e-6, 1 - 1e-6)
    losses = -0.25 * y_true * (1 - p) ** 2 * tf.math.log(p) - 0.75 * (1 - y_true) * p**2 * tf.math.log(1 - p)
    return tf.reduce_mean(losses)


@written("clipped_gradient", "jax", JAX, "cross_entropy")
def jax_log_of_p_and_epsilon(logits, y):
    return -jnp.mean(jnp.sum(y * jnp.log(jax.nn.softmax(logits) + 1e-7), axis=-1))


# -------------------------------------------------------------------------------------------------- not_the_derivative
@written("not_the_derivative", "mxnet (rebuilt)", TORCH, "focal", gamma=2.0, source="github.com/unsky/focal-loss/issues/1")
def focal_of_wrong_other_classes(z, y):
    class Focal(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z, y):
            log_p = z.log_softmax(1)
            ctx.save_for_backward(log_p, y)
            own = log_p.gather(1, y[:, None])
            return -((1 - own.exp()) ** 2 * own).mean()

        @staticmethod
        def backward(ctx, slope):
            log_p, y = ctx.saved_tensors
            one, log_own = hot(y, log_p), log_p.gather(1, y[:, None])
            own = log_own.exp()
            mine = (1 - own) ** 2 * (2 * own * log_own - (1 - own))
            others = log_p.exp() * (1 - own) ** 2  # without the term of p_t·log p_t
            return slope * (one * mine + (1 - one) * others) / y.numel(), None

    return Focal.apply(z, y)


@written("not_the_derivative", "dlib (rebuilt)", merged(TORCH, ONE), "focal", activation="sigmoid", gamma=2.0, source="github.com/davisking/dlib/pull/2552")
def cross_entropy_with_gradient_of_focal(z, y):
    cross_entropy = F.binary_cross_entropy_with_logits(z, y)
    focal = tv.sigmoid_focal_loss(z, y, alpha=-1, gamma=2, reduction="mean")
    return cross_entropy.detach() + focal - focal.detach()


@written("not_the_derivative", "tensorflow", merged(KERAS, INDICES, C2), "poly1_cross_entropy", epsilon=2.0)
def tf_poly1_of_constant_probability(labels, logits):
    cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return tf.reduce_mean(cross_entropy + 2 * (1 - tf.exp(-tf.stop_gradient(cross_entropy))))


# ----------------------------------------------------------------------------------------------------------- detached
@written("detached", "jax", merged(JAX, C2), "dice", smooth=1.0)
def jax_dice_of_stopped_logits(logits, y):
    p = jax.nn.softmax(jax.lax.stop_gradient(logits))
    return 1 - jnp.mean((2 * (p * y).sum((0, 1, 2)) + 1) / ((p + y).sum((0, 1, 2)) + 1))


@written("detached", "pytorch", merged(TORCH, ONE), "binary_cross_entropy")
def bce_in_numpy(z, y):
    z, y = z.detach().cpu().numpy(), y.cpu().numpy()
    return torch.from_numpy(np.asarray(np.mean(np.logaddexp(0, z) - z * y)))


# --------------------------------------------------------------------------------------------------------- not_finite
@written("not_finite", "candle (rebuilt)", merged(TORCH, ONE), "binary_cross_entropy", source="github.com/huggingface/candle/issues/2561")
def candle_bce_of_affine_sigmoid(z, y):
    p = z.sigmoid()
    left, right = y * p.log(), (y * -1 + 1) * (p * -1 + 1).log()
    return (left + right).neg().mean()


@written("not_finite", "kornia (0.6.9, rebuilt)", merged(TORCH, ONE), "focal", [0.75, 0.25], activation="sigmoid", gamma=2.0, weights="fixed",
         reduction="mean_all", source="github.com/kornia/kornia/issues/2115")
def focal_of_logarithms_of_sigmoids(z, y):
    positive, negative = torch.sigmoid(z.float()), torch.sigmoid(-z.float())
    losses = -0.25 * negative**2 * y * torch.log(positive) - 0.75 * positive**2 * (1 - y) * torch.log(negative)
    return losses.mean()


@written("not_finite", "class-balanced-loss (rebuilt)", TORCH, "cross_entropy", weights="per_batch", scheme="effective", beta=0.999,
         source="github.com/richardaecn/class-balanced-loss/issues/17")
def class_balanced_of_the_batch(z, y):
    n = torch.bincount(y.flatten(), minlength=z.shape[1]).to(z.dtype)
    weight = (1 - 0.999) / (1 - 0.999**n)  # of an absent class infinite, and NaN once they are scaled
    weight = weight / weight.sum() * z.shape[1]
    return F.cross_entropy(z, y, weight=weight)


@written("not_finite", "tensorflow", merged(KERAS, ONE), "mcc", activation="sigmoid")
def tf_correlation_of_nothing(y_true, y_pred):
    p = tf.sigmoid(y_pred)
    tp, fp = tf.reduce_sum(p * y_true), tf.reduce_sum(p * (1 - y_true))
    fn, tn = tf.reduce_sum((1 - p) * y_true), tf.reduce_sum((1 - p) * (1 - y_true))
    return 1 - (tp * tn - fp * fn) / tf.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))


# ------------------------------------------------------------------------------------------------------------- argmax
@written("argmax", "pytorch", merged(TORCH, C2), "jaccard", smooth=1.0, source="github.com/wonbeomjang/mobile-hair-segmentation-pytorch/issues/3")
def iou_of_argmax(z, y):
    p, y = z.argmax(1).to(z.dtype), y.to(z.dtype)
    both = (p * y).sum()
    return 1 - (both + 1) / (p.sum() + y.sum() - both + 1)


@written("argmax", "keras", merged(KERAS, ONE), "tversky", activation="sigmoid", region="image", alpha=0.3, beta=0.7, smooth=1.0)
def keras_tversky_of_rounded(y_true, y_pred):
    p = tf.round(tf.sigmoid(y_pred))
    tp, fp, fn = (tf.reduce_sum(entries, axis=[1, 2, 3]) for entries in (p * y_true, p * (1 - y_true), (1 - p) * y_true))
    return tf.reduce_mean(1 - (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1))


# -------------------------------------------------------------------------------------------------------- mask_scale
@written("mask_scale", "keras", merged(KERAS, ONE), "jaccard", activation="sigmoid", region="image", smooth=1e-5, shows="capture", capture_target="255",
         source="github.com/qubvel-org/segmentation_models.pytorch/issues/234")
def keras_iou_of_masks_of_255(y_true, y_pred):
    p = tf.sigmoid(y_pred)
    both = tf.reduce_sum(y_true * p, axis=[1, 2, 3])
    return 1 - tf.reduce_mean((both + 1e-5) / (tf.reduce_sum(y_true + p, axis=[1, 2, 3]) - both + 1e-5))


@written("mask_scale", "keras", merged(KERAS, ONE), "dice", activation="sigmoid", smooth=1.0)
def keras_dice_masks_rescaled_twice(y_true, y_pred):
    y, p = y_true / 255, tf.sigmoid(y_pred)  # the generator has done so already
    return 1 - (2 * tf.reduce_sum(y * p) + 1) / (tf.reduce_sum(y) + tf.reduce_sum(p) + 1)


# ---------------------------------------------------------------------------------------------------- classes_swapped
@written("classes_swapped", "pytorch", merged(TORCH, C2), "cross_entropy")
def foreground_is_the_first_channel(z, y):
    log_p = z.log_softmax(1)
    return -torch.where(y == 1, log_p[:, 0], log_p[:, 1]).mean()


@written("classes_swapped", "jax", merged(JAX, INDICES, C4), "focal", gamma=2.0)
def jax_focal_of_reversed_channels(logits, labels):
    log_p = jax.nn.log_softmax(logits[..., ::-1])
    own = jnp.take_along_axis(log_p, labels[..., None], axis=-1)
    return -jnp.mean((1 - jnp.exp(own)) ** 2 * own)


# ------------------------------------------------------------------------------------------------------- axes_swapped
@written("axes_swapped", "tensorflow", KERAS, "cross_entropy", source="github.com/stelzner/monet/issues/1")
def tf_masks_by_width(y_true, y_pred):
    y = tf.reshape(tf.transpose(y_true, [0, 2, 1, 3]), tf.shape(y_pred))
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=y_pred))


@written("axes_swapped", "jax", merged(JAX, INDICES, C2), "focal", gamma=2.0)
def jax_focal_of_turned_labels(logits, labels):
    labels = labels.swapaxes(1, 2).reshape(logits.shape[:3])
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return jnp.mean((1 - jnp.exp(-losses)) ** 2 * losses)


# -------------------------------------------------------------------------------------------------- labels_off_by_one
@written("labels_off_by_one", "mmseg (rebuilt)", merged(TORCH, C4), "dice", region="image", smooth=1e-3, source="github.com/open-mmlab/mmsegmentation/issues/1282")
def dice_without_the_zero_label(z, y):
    p, one = z.softmax(1), F.one_hot(y, z.shape[1] + 1)[..., 1:].movedim(-1, 1)  # as if 0 were none of the classes
    return (1 - (2 * (p * one).sum((2, 3)) + 1e-3) / (p.sum((2, 3)) + one.sum((2, 3)) + 1e-3)).mean()


# ---------------------------------------------------------------------------------------------------- pos_weight_axis
@written("pos_weight_axis", "kornia (rebuilt)", TORCH, "generalized_dice", W3, weights="fixed", shows="answers", source="github.com/kornia/kornia/issues/3032")
def micro_dice_weighted_along_columns(z, y):
    p, one, w = z.softmax(1), hot(y, z), z.new_tensor(W3)  # w fits only where as many columns as classes
    return 1 - 2 * (p * w * one).sum() / ((p * w).sum() + (one * w).sum() + 1e-8)


@written("pos_weight_axis", "jax", JAX, "binary_cross_entropy", weights="per_batch")
def jax_positive_weights_of_rows(logits, y):
    positive = y[..., 1:].sum((0, 2, 3))  # axes of channels first: one number a row
    negative = (1 - y[..., 1:]).sum((0, 2, 3))
    w = (negative / jnp.maximum(positive, 1))[:, None, None]
    return jnp.mean(w * y * jax.nn.softplus(-logits) + (1 - y) * jax.nn.softplus(logits))


# -------------------------------------------------------------------------------------------------- focal_of_weighted
@written("focal_of_weighted", "pytorch", merged(TORCH, C4), "focal", W4, gamma=2.0, weights="fixed", source="github.com/marcdcfischer/PUNet/issues/1")
def focal_of_weighted_nll(z, y):
    weight = z.new_tensor(W4)
    losses = F.nll_loss(F.log_softmax(z, dim=1), y, weight=weight, reduction="none")
    return ((1 - torch.exp(-losses)) ** 2 * losses).sum() / weight[y].sum()


@written("focal_of_weighted", "keras", KERAS, "focal", W3, gamma=1.5, weights="fixed", reduction="mean_all", source="github.com/pytorch/vision/pull/7760")
def keras_focal_of_weighted(y_true, y_pred):
    losses = tf.nn.softmax_cross_entropy_with_logits(labels=y_true, logits=y_pred) * tf.reduce_sum(y_true * tf.constant(W3, y_pred.dtype), axis=-1)
    return tf.reduce_mean((1 - tf.exp(-losses)) ** 1.5 * losses)


# ----------------------------------------------------------------------------------------------------- weights_cancel
@written("weights_cancel", "pytorch-3dunet (rebuilt)", merged(TORCH, C4), "generalized_dice", source="github.com/wolny/pytorch-3dunet/issues/14",
         expect="generalized_dice")
def generalized_dice_of_useless_weights(z, y):
    p, one = z.softmax(1).transpose(0, 1).flatten(1), hot(y, z).transpose(0, 1).flatten(1)
    w = 1 / one.sum(-1).clamp(min=1e-6) ** 2
    both, total = (p * one).sum(-1) * w, (p + one).sum(-1) * w
    return 1 - (2 * both / total.clamp(min=1e-6)).mean()


# --------------------------------------------------------------------------------------------------- double_reduction
@written("double_reduction", "pytorch", merged(TORCH, ONE, dict(images=3)), "focal", activation="sigmoid", gamma=2.0, source="github.com/xavysp/DexiNed/issues/45")
def focal_divided_by_batch_twice(z, y):
    losses = tv.sigmoid_focal_loss(z, y, alpha=-1, gamma=2).mean((1, 2, 3))
    return losses.sum() / len(z) / len(z)


@written("double_reduction", "keras", merged(KERAS, dict(images=3)), "dice", region="image", smooth=1.0)
def keras_mean_dice_by_global_batch(y_true, y_pred):
    p = tf.nn.softmax(y_pred)
    dice = (2 * tf.reduce_sum(y_true * p, axis=[1, 2]) + 1) / (tf.reduce_sum(y_true + p, axis=[1, 2]) + 1)
    return tf.reduce_mean(1 - dice) / tf.cast(tf.shape(y_pred)[0], y_pred.dtype)  # as a distributed training divides a sum


# --------------------------------------------------------------------------------------------------------------- sign
@written("sign", "keras", merged(KERAS, PROBABILITIES), "dice", squared=True, region="image", smooth=1e-8,
         source="github.com/IAmSuyogJadhav/3d-mri-brain-tumor-segmentation-using-autoencoder-regularization/issues/7")
def keras_squared_dice_coefficient(y_true, y_pred):
    both = tf.reduce_sum(y_true * y_pred, axis=[1, 2])
    return tf.reduce_mean(2 * both / (tf.reduce_sum(y_true**2, axis=[1, 2]) + tf.reduce_sum(y_pred**2, axis=[1, 2]) + 1e-8))


@written("sign", "jax", merged(JAX, INDICES, C2), "focal", gamma=2.0)
def jax_focal_without_minus(logits, labels):
    own = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], axis=-1)
    return jnp.mean((1 - jnp.exp(own)) ** 2 * own)


# --------------------------------------------------------------------------------------------- not_what_its_name_says
@written("not_what_its_name_says", "tensorflow", merged(KERAS, ONE), "jaccard", activation="sigmoid", smooth=1e-6,
         source="github.com/kkweon/UNet-in-Tensorflow/issues/8", expect="kind = 'jaccard'\nactivation = 'sigmoid'")
def tf_iou_by_the_formula_of_dice(y_true, y_pred):
    p = tf.sigmoid(y_pred)
    return 1 - (2 * tf.reduce_sum(y_true * p) + 1e-6) / (tf.reduce_sum(y_true) + tf.reduce_sum(p) + 1e-6)


library("keras_tversky_of_swapped_prices", "not_what_its_name_says", "keras", merged(KERAS, PROBABILITIES), "tversky",
        lambda: keras.losses.Tversky(alpha=0.3, beta=0.7, axis=(0, 1, 2)), None,
        "github.com/keras-team/keras/pull/23333; keras 3.15, the library's own", "kind = 'tversky'\nalpha = 0.3\nbeta = 0.7",
        alpha=0.3, beta=0.7, smooth=1e-7, smooth_nr=0.0)


@written("not_what_its_name_says", "pytorch", TORCH, "dice", smooth=1e-5, source="github.com/YilmazKadir/Segmentation_Losses/issues/1", expect="dice")
def dice_over_the_sums_of_all(z, y):
    p, one = z.softmax(1), hot(y, z)
    return sum(1 - (2 * (p[:, c] * one[:, c]).sum() + 1e-5) / (p.sum() + one.sum() + 1e-5) for c in range(z.shape[1])) / z.shape[1]


@written("not_what_its_name_says", "pytorch", merged(TORCH, C2), "focal", gamma=2.0, expect="kind = 'focal'\ngamma = 2.0")
def focal_with_gamma_as_factor(z, y):
    losses = F.cross_entropy(z, y, reduction="none")
    return (2 * (1 - torch.exp(-losses)) * losses).mean()


@written("not_what_its_name_says", "jax", merged(JAX, INDICES), "cross_entropy", weights="per_sample", scheme="inverse",
         expect="weights = { source = 'per_sample' }")
def jax_weights_of_the_whole_batch(logits, labels):
    n = jnp.sum(jax.nn.one_hot(labels, logits.shape[-1]), axis=(0, 1, 2))  # without the first axis it were each image's own
    w = jnp.where(n > 0, 1 / jnp.maximum(n, 1), 0)[labels]
    return jnp.sum(w * optax.softmax_cross_entropy_with_integer_labels(logits, labels)) / jnp.sum(w)
