"""Losses with a fault each, as people have written them; none is anybody's code.

`kind` and `options` are those of the loss that was meant. `source` names the thread that tells of the fault.
"""
from .case import CHANNEL, INDICES, JAX, KERAS, NUMPY, ONE, ONE_HOT, PROBABILITIES, TORCH, VOID, Lazy, merged, wrong_ones

np, torch, F, nn = Lazy("numpy"), Lazy("torch"), Lazy("torch.nn.functional"), Lazy("torch.nn")
tf, keras = Lazy("tensorflow"), Lazy("keras")
jax, jnp, optax = Lazy("jax"), Lazy("jax.numpy"), Lazy("optax")
smp, kornia, nnunet = Lazy("segmentation_models_pytorch.losses"), Lazy("kornia.losses"), Lazy("nnunetv2.training.loss.robust_ce_loss")

CASES, library, written = wrong_ones("first")
W3, W2 = [0.5, 2.0, 4.0], [0.3, 3.0]
C2 = dict(classes=2)


def hot(y, like):
    """Labels as (N, C, H, W)."""
    return F.one_hot(y, like.shape[1]).movedim(-1, 1).to(like.dtype)


# ----------------------------------------------------------------------------------------------------- softmax_twice
@written("softmax_twice", "pytorch", merged(TORCH, C2), "cross_entropy", source="github.com/say4n/pytorch-segnet/issues/5")
def softmax_then_cross_entropy(z, y):
    probabilities = torch.softmax(z, dim=1)  # the last layer of the network
    return nn.CrossEntropyLoss()(probabilities, y)


@written("softmax_twice", "pytorch", merged(TORCH, ONE), "binary_cross_entropy")
def sigmoid_then_bce_with_logits(z, y):
    return F.binary_cross_entropy_with_logits(torch.sigmoid(z), y)


@written("softmax_twice", "pytorch", merged(TORCH, ONE_HOT, C2), "binary_cross_entropy")
def softmax_then_bce_with_logits(z, y):
    return nn.BCEWithLogitsLoss()(z.softmax(1), y)


@written("softmax_twice", "tensorflow", merged(KERAS, PROBABILITIES, C2), "cross_entropy", source="github.com/tflearn/tflearn/pull/562")
def probabilities_as_logits(y_true, y_pred):
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_true, logits=y_pred))


library("keras_from_logits_of_probabilities", "softmax_twice", "keras", merged(KERAS, ONE, PROBABILITIES), "binary_cross_entropy",
        lambda: keras.losses.BinaryCrossentropy(from_logits=True))


@written("softmax_twice", "pytorch", merged(TORCH, C2), "dice", source="github.com/Hsuxu/Loss_ToolBox-PyTorch/issues/11", smooth=1.0)
def dice_softmax_then_sigmoid(z, y):
    p, y = torch.sigmoid(z.softmax(1)), hot(y, z)
    return (1 - (2 * (p * y).sum((0, 2, 3)) + 1) / ((p + y).sum((0, 2, 3)) + 1)).mean()


@written("softmax_twice", "keras", merged(KERAS, PROBABILITIES, C2), "jaccard", source="github.com/sentinel-hub/field-delineation/issues/4",
         region="image", squared=True, smooth=1e-5)
def tanimoto_softmax_twice(y_true, y_pred):
    p = tf.nn.softmax(y_pred)
    both = tf.reduce_sum(p * y_true, [1, 2])
    squares = tf.reduce_sum(p**2 + y_true**2, [1, 2])
    return 1 - tf.reduce_mean((both + 1e-5) / (squares - both + 1e-5))


# ------------------------------------------------------------------------------------------------ sigmoid_for_softmax
@written("sigmoid_for_softmax", "pytorch", TORCH, "cross_entropy", source="the forum thread (docs/source-document.md, S2)")
def log_sigmoid_of_the_label(z, y):
    return -F.logsigmoid(z.gather(1, y[:, None])).mean()


@written("sigmoid_for_softmax", "keras", merged(KERAS, C2), "cross_entropy", W2, weights="fixed")
def keras_weighted_log_sigmoid(y_true, y_pred):
    weights = tf.constant(W2, y_pred.dtype)
    return -tf.reduce_sum(y_true * weights * tf.math.log_sigmoid(y_pred)) / tf.reduce_sum(y_true * weights)


@written("sigmoid_for_softmax", "pytorch", merged(TORCH, C2), "focal", gamma=2.0)
def focal_of_sigmoid_of_the_label(z, y):
    own = z.gather(1, y[:, None])
    return (torch.sigmoid(-own) ** 2 * -F.logsigmoid(own)).mean()


@written("sigmoid_for_softmax", "pytorch", merged(TORCH, C2), "cross_entropy")
def sigmoids_made_to_add_up(z, y):
    p = torch.sigmoid(z)
    p = p / p.sum(1, keepdim=True)
    return -torch.log(p.gather(1, y[:, None])).mean()


# --------------------------------------------------------------------------------------------------------- wrong_axis
@written("wrong_axis", "pytorch", merged(TORCH, C2), "cross_entropy", source="github.com/DonkeyShot21/UNO/issues/4")
def softmax_over_columns(z, y):
    return -z.log_softmax(-1).gather(1, y[:, None]).mean()


@written("wrong_axis", "pytorch", merged(TORCH, C2), "dice", smooth=1.0)
def softmax_over_the_batch(z, y):
    p, y = z.softmax(0), hot(y, z)  # what F.softmax without dim once chose
    return (1 - (2 * (p * y).sum((0, 2, 3)) + 1) / ((p + y).sum((0, 2, 3)) + 1)).mean()


@written("wrong_axis", "pytorch", TORCH, "focal", gamma=2.0, source="github.com/MIC-DKFZ/nnUNet/pull/783 (issue 705)")
def focal_of_viewed_logits(z, y):
    flat = z.contiguous().view(-1, z.shape[1])  # no permute before
    ce = F.cross_entropy(flat, y.reshape(-1), reduction="none")
    return ((1 - torch.exp(-ce)) ** 2 * ce).mean()


@written("wrong_axis", "pytorch", merged(TORCH, C2), "lovasz_softmax", source="github.com/qubvel-org/segmentation_models.pytorch/pull/461", classes="present")
def lovasz_of_moved_batch(z, y):
    p = torch.movedim(z.softmax(1), 0, -1).reshape(-1, z.shape[1])  # the batch was moved to the end, not the classes
    y, total = y.reshape(-1), 0
    for c in range(z.shape[1]):
        mine = (y == c).to(z.dtype)
        errors, order = (mine - p[:, c]).abs().sort(descending=True)
        sorted_ = mine[order]
        jaccard = 1 - (sorted_.sum() - sorted_.cumsum(0)) / (sorted_.sum() + (1 - sorted_).cumsum(0))
        total = total + errors @ torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
    return total / z.shape[1]


@written("wrong_axis", "keras", merged(KERAS, C2), "cross_entropy", source="newbe.dev/cross-entropy-loss-for-semantic-segmentation-keras")
def keras_depth_softmax_over_the_batch(y_true, y_pred):
    log_p = tf.nn.log_softmax(y_pred, axis=0)  # axis 0 of what a layer gets is the batch
    return -tf.reduce_mean(tf.reduce_sum(y_true * log_p, axis=-1))


# ------------------------------------------------------------------------------------------------ one_channel_softmax
@written("one_channel_softmax", "monai (before 1.3, rebuilt)", merged(TORCH, ONE), "binary_cross_entropy + dice",
         source="github.com/Project-MONAI/MONAI/issues/6923", expect="cross_entropy + dice", terms=[{}, dict(activation="sigmoid", region="image", smooth=1e-5)])
def dice_ce_of_one_channel(z, y):
    p = torch.sigmoid(z)
    dice = 1 - (2 * (p * y).sum((2, 3)) + 1e-5) / ((p + y).sum((2, 3)) + 1e-5)
    return dice.mean() + F.cross_entropy(z, y)


@written("one_channel_softmax", "monai (before 0.6, rebuilt)", merged(TORCH, ONE), "focal", source="github.com/Project-MONAI/MONAI/issues/2509",
         activation="sigmoid", gamma=2.0)
def focal_of_one_channel(z, y):
    log_p = F.log_softmax(z, dim=1)
    return -((1 - log_p.exp()) ** 2 * log_p * y).mean()


@written("one_channel_softmax", "pytorch", merged(TORCH, ONE), "dice", activation="sigmoid", smooth=1.0)
def dice_of_softmax_of_one_channel(z, y):
    p = z.softmax(1)
    return 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)


library("keras_categorical_of_one_channel", "one_channel_softmax", "keras", merged(KERAS, ONE), "binary_cross_entropy",
        lambda: keras.losses.CategoricalCrossentropy(from_logits=True), None, "github.com/bowang-lab/MedSAM/issues/99")


# ---------------------------------------------------------------------------------------------------- constant_weight
@written("constant_weight", "keras", KERAS, "cross_entropy", source="the forum thread (docs/source-document.md, S3)", weights="per_sample", scheme="inverse")
def categorical_sum_over_size(y_true, y_pred):
    w = tf.reduce_sum(y_true) / tf.cast(tf.size(y_true), y_true.dtype)
    return tf.reduce_mean(w * tf.nn.softmax_cross_entropy_with_logits(labels=y_true, logits=y_pred))


@written("constant_weight", "kornia (before 0.6, rebuilt)", merged(TORCH, C2), "focal", [0.75, 0.25], source="github.com/kornia/kornia/issues/875", gamma=2.0, weights="fixed",
         expect="kind = 'focal'\nweights = { source = 'per_batch' }")
def focal_one_alpha_for_all(z, y):
    log_p = z.log_softmax(1)
    return (-0.25 * (1 - log_p.exp()) ** 2 * log_p * hot(y, z)).sum(1).mean()


@written("constant_weight", "numpy", merged(NUMPY, C2), "cross_entropy", weights="per_batch", scheme="inverse", expect="weights = { source = 'per_batch' }")
def numpy_frequency_of_all_classes_at_once(z, y):
    one = y[:, None] == np.arange(z.shape[1])[:, None, None]
    w = one.size / (z.shape[1] * one.sum()) * np.ones(z.shape[1])  # without an axis: the same for every class
    w = w / w.sum()
    z = z - z.max(1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    return -(w[:, None, None] * one * log_p).sum(1).mean()


# ---------------------------------------------------------------------------------------------- ignored_in_denominator
@written("ignored_in_denominator", "mmseg (before 0.24, rebuilt)", merged(TORCH, VOID, C2), "cross_entropy", ignore_index=255,
         source="github.com/open-mmlab/mmsegmentation/issues/886")
def mmseg_mean_over_ignored(pred, label):
    return F.cross_entropy(pred, label, ignore_index=255, reduction="none").mean()


library("smp_soft_ce_ignore", "ignored_in_denominator", "smp", merged(TORCH, VOID, C2), "cross_entropy",
        lambda: smp.SoftCrossEntropyLoss(smooth_factor=0.1, ignore_index=255), None, "segmentation_models_pytorch 0.6, the library's own",
        label_smoothing=0.1, ignore_index=255)
library("smp_soft_bce_ignore", "ignored_in_denominator", "smp", merged(TORCH, VOID, ONE), "binary_cross_entropy",
        lambda: smp.SoftBCEWithLogitsLoss(ignore_index=255), None, "segmentation_models_pytorch 0.6, the library's own", ignore_index=255)
library("kornia_focal_ignore", "ignored_in_denominator", "kornia", merged(TORCH, VOID, C2), "focal",
        lambda: lambda z, y: kornia.focal_loss(z, y, alpha=None, gamma=2.0, reduction="mean", ignore_index=255),
        None, "kornia 0.9, the library's own and documented; PR 3034", gamma=2.0, factor=0.5, ignore_index=255)
library("nnunet_top_k_ignore", "ignored_in_denominator", "nnunet", merged(TORCH, VOID, C2, CHANNEL), "top_k_cross_entropy",
        lambda: nnunet.TopKLoss(k=95, ignore_index=255), None, "nnunetv2 2.8, the library's own: k per cent of all pixels, ignored ones too",
        keep=0.95, ignore_index=255)


@written("ignored_in_denominator", "jax", merged(JAX, INDICES, VOID, C2), "cross_entropy", ignore_index=255)
def jax_mask_then_mean(logits, labels):
    valid = labels != 255
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.where(valid, labels, 0))
    return (losses * valid).mean()


# ------------------------------------------------------------------------------------------- ignored_before_activation
@written("ignored_before_activation", "monai (MaskedDiceLoss, rebuilt)", merged(TORCH, VOID, C2), "dice", region="image", smooth=1e-5, ignore_index=255,
         source="github.com/Project-MONAI/MONAI/issues/657")
def masked_dice_before_softmax(z, y):
    valid = (y != 255)[:, None]
    p = (z * valid).softmax(1)
    one = hot(y.where(y != 255, 0), z) * valid
    return (1 - (2 * (p * one).sum((2, 3)) + 1e-5) / ((p + one).sum((2, 3)) + 1e-5)).mean()


@written("ignored_before_activation", "monai (MaskedDiceLoss, rebuilt)", merged(TORCH, VOID, ONE), "dice", activation="sigmoid", region="image",
         smooth=1e-5, ignore_index=255, source="github.com/Project-MONAI/MONAI/issues/8655")
def masked_dice_before_sigmoid(z, y):
    valid = y != 255
    p, y = torch.sigmoid(z * valid), y * valid
    return (1 - (2 * (p * y).sum((2, 3)) + 1e-5) / ((p + y).sum((2, 3)) + 1e-5)).mean()


@written("ignored_before_activation", "pytorch", merged(TORCH, VOID, C2), "cross_entropy", ignore_index=255)
def cross_entropy_of_masked_logits(z, y):
    valid = y != 255
    return F.cross_entropy(z * valid[:, None], y * valid, reduction="sum") / valid.sum()


# --------------------------------------------------------------------------------------------------- ignored_as_class
@written("ignored_as_class", "pytorch", merged(TORCH, VOID, C2), "cross_entropy", ignore_index=255)
def ignored_is_the_last_class(z, y):
    return F.cross_entropy(z, y.clamp(max=z.shape[1] - 1))


@written("ignored_as_class", "tensorflow", merged(KERAS, INDICES, VOID, C2), "cross_entropy", ignore_index=255)
def keras_ignored_is_background(y_true, y_pred):
    labels = tf.where(y_true == 255, tf.zeros_like(y_true), y_true)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=y_pred))


library("torchgeo_jaccard_ignore", "ignored_as_class", "torchgeo (before 0.6)", merged(TORCH, dict(ignored=0)), "jaccard",
        lambda: smp.JaccardLoss("multiclass", classes=3), None, "github.com/torchgeo/torchgeo/issues/1896", ignore_index=0)


@written("ignored_as_class", "smp (before 0.2, rebuilt)", merged(TORCH, VOID, C2), "dice", ignore_index=255,
         source="github.com/qubvel-org/segmentation_models.pytorch/pull/366")
def dice_ignore_without_effect(z, y):
    p, one = z.softmax(1), hot(y.clamp(max=z.shape[1] - 1), z)
    return (1 - 2 * (p * one).sum((0, 2, 3)) / (p + one).sum((0, 2, 3))).mean()


@written("ignored_as_class", "mmseg (1.1, rebuilt)", merged(TORCH, VOID, C2), "dice", region="image", smooth=1e-3, ignore_index=255,
         source="github.com/open-mmlab/mmsegmentation/pull/3237")
def dice_ignored_is_false_positive(z, y):
    p = z.softmax(1)
    one = F.one_hot(y.clamp(max=z.shape[1]), z.shape[1] + 1)[..., : z.shape[1]].movedim(-1, 1)  # no class, but still predicted
    return (1 - (2 * (p * one).sum((2, 3)) + 1e-3) / ((p + one).sum((2, 3)) + 1e-3)).mean()


@written("ignored_as_class", "pytorch", merged(TORCH, VOID, ONE), "binary_cross_entropy", ignore_index=255)
def ignored_is_foreground(z, y):
    return F.binary_cross_entropy_with_logits(z, (y > 0).to(z.dtype))


# -------------------------------------------------------------------------------------------------- absent_class_owns
@written("absent_class_owns", "pytorch", TORCH, "generalized_dice", source="github.com/Project-MONAI/MONAI/issues/371")
def generalized_dice_of_absent(z, y):
    p, one = z.softmax(1), hot(y, z)
    w = 1 / (one.sum((0, 2, 3)) + 1e-6) ** 2
    return 1 - 2 * (w * (p * one).sum((0, 2, 3))).sum() / (w * (p + one).sum((0, 2, 3))).sum()


@written("absent_class_owns", "keras", merged(KERAS, PROBABILITIES, C2), "generalized_dice")
def keras_generalized_dice_of_absent(y_true, y_pred):
    n = tf.reduce_sum(y_true, [0, 1, 2])
    w = 1 / (n**2 + 1e-6)
    both = tf.reduce_sum(w * tf.reduce_sum(y_true * y_pred, [0, 1, 2]))
    return 1 - (2 * both + 1e-6) / (tf.reduce_sum(w * tf.reduce_sum(y_true + y_pred, [0, 1, 2])) + 1e-6)


library("optax_generalized_dice", "absent_class_owns", "optax", JAX, "generalized_dice",
        lambda: lambda z, y: optax.losses.multiclass_generalized_dice_loss(z, y), None, "optax 0.2.8, the library's own",
        region="image", smooth=2.0)


@written("absent_class_owns", "pytorch", merged(TORCH, C2), "cross_entropy", weights="per_batch", scheme="inverse")
def inverse_frequency_of_absent(z, y):
    counts = torch.bincount(y.flatten(), minlength=z.shape[1]).to(z.dtype)
    w = 1 / (counts + 1e-6)
    w = z.shape[1] * w / w.sum()
    return (w[y] * F.cross_entropy(z, y, reduction="none")).mean()


# --------------------------------------------------------------------------------------------------- clipped_gradient
library("keras_categorical_focal_logits", "clipped_gradient", "keras", merged(KERAS, C2), "focal",
        lambda: keras.losses.CategoricalFocalCrossentropy(from_logits=True), None, "keras 3.15, the library's own", gamma=2.0, factor=0.25)



@written("clipped_gradient", "keras", merged(KERAS, C2), "cross_entropy", W2, weights="fixed", reduction="sum",
         source="stackoverflow.com/questions/46504371")
def keras_weighted_clipped(y_true, y_pred):
    p = tf.clip_by_value(tf.nn.softmax(y_pred), 1e-7, 1 - 1e-7)
    return -tf.reduce_sum(y_true * tf.constant(W2, p.dtype) * tf.math.log(p))


@written("clipped_gradient", "pytorch", merged(TORCH, C2), "cross_entropy")
def cross_entropy_clamped(z, y):
    p = z.softmax(1).clamp(1e-7, 1 - 1e-7)
    return F.nll_loss(p.log(), y)


@written("clipped_gradient", "pytorch", merged(TORCH, ONE), "focal", activation="sigmoid", gamma=2.0, source="github.com/fudannlp16/focal-loss/issues/4")
def focal_clamped(z, y):
    p = torch.sigmoid(z)
    gain = y * (1 - p) ** 2 * torch.log(p.clamp(1e-8, 1)) + (1 - y) * p**2 * torch.log((1 - p).clamp(1e-8, 1))
    return -gain.mean()


@written("clipped_gradient", "pytorch", merged(TORCH, ONE), "binary_cross_entropy", source="github.com/xingyizhou/CenterNet/pull/121")
def bce_of_clamped_sigmoid(z, y):
    p = torch.sigmoid(z).clamp(1e-4, 1 - 1e-4)
    return F.binary_cross_entropy(p, y)


# -------------------------------------------------------------------------------------------------- not_the_derivative
@written("not_the_derivative", "pytorch", merged(TORCH, C2), "focal", gamma=2.0)
def focal_with_detached_factor(z, y):
    ce = F.cross_entropy(z, y, reduction="none")
    with torch.no_grad():
        factor = (1 - torch.exp(-ce)) ** 2
    return (factor * ce).mean()


@written("not_the_derivative", "pytorch", merged(TORCH, ONE), "dice", activation="sigmoid", smooth=1.0)
def dice_with_detached_union(z, y):
    p = torch.sigmoid(z)
    total = (p.sum() + y.sum()).detach()
    return 1 - (2 * (p * y).sum() + 1) / (total + 1)


@written("not_the_derivative", "caffe (V-Net, rebuilt)", merged(TORCH, ONE), "dice", activation="sigmoid", squared=True,
         source="github.com/faustomilletari/VNet/issues/32")
def vnet_dice_of_wrong_sign(z, y):
    class Dice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, p, y):
            ctx.save_for_backward(p, y)
            return 1 - 2 * (p * y).sum() / (p**2 + y**2).sum()

        @staticmethod
        def backward(ctx, slope):
            p, y = ctx.saved_tensors
            both, squares = (p * y).sum(), (p**2 + y**2).sum()
            return slope * 2 * (y * squares - 2 * p * both) / squares**2, None  # that of the coefficient, not of the loss

    return Dice.apply(torch.sigmoid(z), y)


@written("not_the_derivative", "pytorch", merged(TORCH, ONE), "dice", activation="sigmoid", smooth=1.0)
def dice_straight_through(z, y):
    p = torch.sigmoid(z)
    hard = (p > 0.5).to(z.dtype) + p - p.detach()
    return 1 - (2 * (hard * y).sum() + 1) / (hard.sum() + y.sum() + 1)


@written("not_the_derivative", "tensorflow", merged(KERAS, C2), "focal", gamma=2.0)
def keras_focal_with_gradient_of_cross_entropy(y_true, y_pred):
    @tf.custom_gradient
    def focal(z):
        log_p = tf.nn.log_softmax(z)
        p = tf.exp(log_p)
        value = -tf.reduce_mean(tf.reduce_sum(y_true * (1 - p) ** 2 * log_p, -1))
        return value, lambda slope: slope * (p - y_true) / tf.cast(tf.size(y_true) / y_true.shape[-1], z.dtype)

    return focal(y_pred)


@written("not_the_derivative", "jax", merged(JAX, C2), "cross_entropy")
def jax_gradient_of_the_sum(logits, labels):
    @jax.custom_vjp
    def cross_entropy(z):
        return optax.softmax_cross_entropy(z, labels).mean()

    cross_entropy.defvjp(lambda z: (cross_entropy(z), z), lambda z, slope: (slope * (jax.nn.softmax(z) - labels),))
    return cross_entropy(logits)


# ----------------------------------------------------------------------------------------------------------- detached
@written("detached", "pytorch", merged(TORCH, C2), "cross_entropy")
def cross_entropy_of_item(z, y):
    return torch.tensor(F.cross_entropy(z, y).item(), requires_grad=True)


@written("detached", "keras", merged(KERAS, C2), "jaccard", smooth=1.0)
def keras_jaccard_in_py_function(y_true, y_pred):
    def jaccard(y, p):
        both, total = (y * p).sum((0, 1, 2)), (y + p).sum((0, 1, 2))
        return 1 - ((both + 1) / (total - both + 1)).mean()

    return tf.numpy_function(jaccard, [y_true, tf.nn.softmax(y_pred)], y_pred.dtype)


# --------------------------------------------------------------------------------------------------------- not_finite
@written("not_finite", "gluon-cv (rebuilt)", merged(TORCH, C2), "cross_entropy", source="github.com/dmlc/gluon-cv/issues/942")
def log_of_softmax(z, y):
    p = z.float().softmax(1)
    return -torch.log(p.gather(1, y[:, None])).mean()


@written("not_finite", "pytorch", merged(TORCH, ONE), "binary_cross_entropy")
def bce_of_logarithms(z, y):
    p = torch.sigmoid(z)
    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()


@written("not_finite", "keras", merged(KERAS, ONE, PROBABILITIES), "focal", [0.75, 0.25], activation="sigmoid", gamma=2.0, weights="fixed", reduction="sum",
         source="github.com/mkocabas/focal-loss-keras/issues/17")
def keras_focal_of_logarithms(y_true, y_pred):
    positive = tf.where(y_true == 1, y_pred, tf.ones_like(y_pred))
    negative = tf.where(y_true == 0, y_pred, tf.zeros_like(y_pred))
    return -tf.reduce_sum(0.25 * (1 - positive) ** 2 * tf.math.log(positive)) - tf.reduce_sum(0.75 * negative**2 * tf.math.log(1 - negative))


@written("not_finite", "keras", merged(KERAS, ONE), "binary_cross_entropy", weights="per_sample", source="the forum thread (docs/source-document.md, S1)")
def forum_threshold(y_true, y_pred):
    w = tf.reduce_sum(y_true) / tf.cast(tf.size(y_true), y_true.dtype)
    shifted = tf.maximum(tf.zeros_like(y_pred), tf.sigmoid(y_pred) + 0.5 - 1 / 3)
    return tf.reduce_mean((1 - w) * y_true * -tf.math.log(shifted) + (1 - y_true) * w * -tf.math.log(1 - shifted))


@written("not_finite", "monai (0.8, rebuilt)", merged(TORCH, C2), "generalized_dice", region="image", smooth=1e-5, source="github.com/Project-MONAI/MONAI/issues/4656")
def generalized_dice_of_infinite_weight(z, y):
    p, one = z.softmax(1), hot(y, z)
    w = 1 / one.sum((2, 3)) ** 2  # what took infinities out worked on a copy
    both = (w * (p * one).sum((2, 3))).sum(1)
    return (1 - (2 * both + 1e-5) / ((w * (p + one).sum((2, 3))).sum(1) + 1e-5)).mean()


@written("not_finite", "pytorch", merged(TORCH, C2), "focal", gamma=0.5)
def focal_of_small_gamma(z, y):
    log_p = z.log_softmax(1).gather(1, y[:, None])
    return -((1 - log_p.exp()) ** 0.5 * log_p).mean()


# ------------------------------------------------------------------------------------------------------------- argmax
@written("argmax", "lasagne (rebuilt)", merged(TORCH, C2), "dice", smooth=1.0, source="github.com/Lasagne/Recipes/issues/99")
def dice_of_argmax(z, y):
    p, one = hot(z.argmax(1), z), hot(y, z)
    return (1 - (2 * (p * one).sum((0, 2, 3)) + 1) / ((p + one).sum((0, 2, 3)) + 1)).mean()


@written("argmax", "smp (rebuilt)", merged(TORCH, ONE), "dice", activation="sigmoid", smooth=1.0,
         source="github.com/qubvel-org/segmentation_models.pytorch/pull/611")
def dice_of_threshold(z, y):
    p = torch.tensor((torch.sigmoid(z) > 0.5).to(z.dtype), requires_grad=True)
    return 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)


@written("argmax", "tensorlayer (rebuilt)", merged(KERAS, C2), "dice", smooth=1e-5, source="github.com/tensorlayer/TensorLayer/issues/891")
def keras_dice_of_argmax(y_true, y_pred):
    p, y = tf.cast(tf.argmax(y_pred, -1), y_pred.dtype), tf.cast(tf.argmax(y_true, -1), y_pred.dtype)
    return 1 - (2 * tf.reduce_sum(p * y) + 1e-5) / (tf.reduce_sum(p * p) + tf.reduce_sum(y * y) + 1e-5)


@written("argmax", "pytorch", merged(TORCH, ONE), "binary_cross_entropy + jaccard", terms=[{}, dict(activation="sigmoid")])
def bce_and_hard_iou(z, y):
    hard = (z > 0).to(z.dtype)
    iou = ((hard * y).sum() + 1) / ((hard + y - hard * y).sum() + 1)
    return F.binary_cross_entropy_with_logits(z, y) + 1 - iou


# -------------------------------------------------------------------------------------------------------- mask_scale
library("bce_masks_of_255", "mask_scale", "pytorch", merged(TORCH, ONE), "binary_cross_entropy", lambda: nn.BCEWithLogitsLoss(),
        None, "github.com/milesial/Pytorch-UNet/issues/78", "", "capture", "255")


@written("mask_scale", "pytorch", merged(TORCH, ONE), "dice", activation="sigmoid", smooth=1.0, shows="capture", capture_target="255",
         source="github.com/mateuszbuda/brain-segmentation-pytorch/issues/36")
def dice_masks_of_255(z, y):
    p = torch.sigmoid(z)
    return 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)


@written("mask_scale", "pytorch", merged(TORCH, ONE), "binary_cross_entropy")
def bce_masks_divided_twice(z, y):
    return F.binary_cross_entropy_with_logits(z, y / 255)  # ToTensor has done so already


# ---------------------------------------------------------------------------------------------------- classes_swapped
@written("classes_swapped", "pytorch", TORCH, "cross_entropy")
def channels_in_reverse(z, y):
    return F.cross_entropy(z.flip(1), y)


@written("classes_swapped", "pytorch", merged(TORCH, ONE), "binary_cross_entropy")
def foreground_is_zero(z, y):
    return F.binary_cross_entropy_with_logits(z, 1 - y)


@written("classes_swapped", "keras", merged(KERAS, C2), "dice", smooth=1.0)
def keras_colours_as_bgr(y_true, y_pred):
    y, p = tf.reverse(y_true, [-1]), tf.nn.softmax(y_pred)
    return 1 - tf.reduce_mean((2 * tf.reduce_sum(y * p, [0, 1, 2]) + 1) / (tf.reduce_sum(y + p, [0, 1, 2]) + 1))


# ------------------------------------------------------------------------------------------------------- axes_swapped
@written("axes_swapped", "pytorch", merged(TORCH, C2), "cross_entropy")
def target_by_columns(z, y):
    flat = z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])
    return F.cross_entropy(flat, y.permute(0, 2, 1).reshape(-1))


@written("axes_swapped", "pytorch", merged(TORCH, ONE), "binary_cross_entropy + dice", terms=[{}, dict(activation="sigmoid", smooth=1.0)])
def mask_turned_over(z, y):
    y = y.transpose(2, 3).reshape(z.shape)  # (width, height), as image libraries give the size
    p = torch.sigmoid(z)
    return F.binary_cross_entropy_with_logits(z, y) + 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)


# -------------------------------------------------------------------------------------------------- labels_off_by_one
@written("labels_off_by_one", "mmseg (reduce_zero_label)", TORCH, "cross_entropy", source="github.com/open-mmlab/mmsegmentation/issues/1714")
def zero_label_reduced(z, y):
    return F.cross_entropy(z, torch.where(y == 0, 255, y - 1), ignore_index=255)


@written("labels_off_by_one", "pytorch", merged(TORCH, C2), "cross_entropy")
def labels_from_one(z, y):
    return F.cross_entropy(z, (y - 1).clamp(min=0))


@written("labels_off_by_one", "keras", merged(KERAS, INDICES), "cross_entropy", source="github.com/hellochick/PSPNet-tensorflow/issues/50")
def keras_labels_plus_one(y_true, y_pred):
    one = tf.one_hot((y_true + 1) % y_pred.shape[-1], y_pred.shape[-1], dtype=y_pred.dtype)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=one, logits=y_pred))


# ---------------------------------------------------------------------------------------------------- pos_weight_axis
@written("pos_weight_axis", "mmseg (rebuilt)", merged(TORCH, ONE_HOT), "binary_cross_entropy", W3, weights="fixed", shows="answers",
         source="github.com/open-mmlab/mmsegmentation/pull/2836")
def pos_weight_of_columns(z, y):
    return F.binary_cross_entropy_with_logits(z, y, pos_weight=z.new_tensor(W3))  # fits only where as many columns as classes


@written("pos_weight_axis", "pytorch", merged(TORCH, ONE_HOT, C2), "binary_cross_entropy", weights="per_batch", source="github.com/pytorch/pytorch/issues/82496")
def pos_weight_counted_of_columns(z, y):
    foreground = y[:, 1:]
    positive = foreground.sum((0, 1, 2))  # as if channels were last: one number a column
    negative = (1 - foreground).sum((0, 1, 2))
    return F.binary_cross_entropy_with_logits(z, y, pos_weight=negative / positive.clamp(min=1))


@written("pos_weight_axis", "pytorch", merged(TORCH, C2), "cross_entropy", weights="per_batch", scheme="inverse")
def class_weights_of_rows(z, y):
    frequency = hot(y, z)[:, 1:].mean((0, 1, 3))  # one number a row, not a class
    weight = 1 / (0.1 + frequency)
    return (weight[:, None] * F.cross_entropy(z, y, reduction="none")).mean()


# -------------------------------------------------------------------------------------------------- focal_of_weighted
@written("focal_of_weighted", "pytorch", TORCH, "focal", W3, gamma=2.0, weights="fixed", reduction="mean_all",
         source="github.com/gokulprasadthekkel/pytorch-multi-class-focal-loss/issues/1")
def focal_of_weighted_cross_entropy(z, y):
    ce = F.cross_entropy(z, y, weight=z.new_tensor(W3), reduction="none")
    return ((1 - torch.exp(-ce)) ** 2 * ce).mean()


@written("focal_of_weighted", "pytorch", merged(TORCH, ONE), "focal", [1.0, 4.0], activation="sigmoid", gamma=2.0, weights="fixed", reduction="mean_all",
         source="github.com/andrijdavid/FocalLoss/issues/2")
def focal_of_weighted_bce(z, y):
    ce = F.binary_cross_entropy_with_logits(z, y, pos_weight=z.new_tensor([4.0]), reduction="none")
    return ((1 - torch.exp(-ce)) ** 2 * ce).mean()


# ----------------------------------------------------------------------------------------------------- weights_cancel
@written("weights_cancel", "monai (rebuilt)", merged(TORCH, C2), "generalized_dice", region="image", source="github.com/Project-MONAI/MONAI/issues/369", expect="generalized_dice")
def generalized_dice_of_ratios(z, y):
    p, one = z.softmax(1), hot(y, z)
    w = 1 / one.sum((2, 3)).clamp(min=1) ** 2
    return (1 - (2 * w * (p * one).sum((2, 3)) + 1e-12) / (w * (p + one).sum((2, 3)) + 1e-12)).mean()


@written("weights_cancel", "monai (1.2, rebuilt)", TORCH, "generalized_dice", source="github.com/Project-MONAI/MONAI/issues/6765", expect="generalized_dice")
def generalized_dice_of_batch_ratios(z, y):
    p, one = z.softmax(1), hot(y, z)
    w = 1 / one.sum((0, 2, 3)).clamp(min=1)
    return (1 - 2 * w * (p * one).sum((0, 2, 3)) / (w * (p + one).sum((0, 2, 3)))).mean()


# --------------------------------------------------------------------------------------------------- double_reduction
@written("double_reduction", "pytorch", merged(TORCH, C2), "cross_entropy")
def mean_divided_by_batch(z, y):
    return F.cross_entropy(z, y) / z.shape[0]


@written("double_reduction", "pytorch", merged(TORCH, ONE), "binary_cross_entropy")
def mean_divided_by_pixels(z, y):
    return nn.BCEWithLogitsLoss()(z, y) / y.numel()


# --------------------------------------------------------------------------------------------------------------- sign
@written("sign", "keras", merged(KERAS, ONE, PROBABILITIES), "dice", activation="sigmoid", smooth=1.0)
def keras_dice_coefficient(y_true, y_pred):
    return (2 * tf.reduce_sum(y_true * y_pred) + 1) / (tf.reduce_sum(y_true + y_pred) + 1)


@written("sign", "pytorch", merged(TORCH, C2), "cross_entropy")
def log_likelihood(z, y):
    return z.log_softmax(1).gather(1, y[:, None]).mean()


@written("sign", "pytorch", merged(TORCH, C2), "jaccard", smooth=1.0)
def mean_iou(z, y):
    p, one = z.softmax(1), hot(y, z)
    both = (p * one).sum((0, 2, 3))
    return ((both + 1) / ((p + one).sum((0, 2, 3)) - both + 1)).mean()


@written("no_activation", "villa (rebuilt)", merged(TORCH, ONE), "dice", activation="sigmoid", region="image", smooth=1e-5,
         source="github.com/ScrollPrize/villa/pull/1644")
def dice_of_logits(z, y):
    return -((2 * (z * y).sum((2, 3)) + 1e-5) / ((z + y).sum((2, 3)) + 1e-5)).mean()


# --------------------------------------------------------------------------------------------------- mean_over_pixels
@written("mean_over_pixels", "pytorch", TORCH, "cross_entropy", W3, weights="fixed", expect="weights = { source = 'per_batch' }\nreduction = 'mean'",
         source="github.com/pytorch/pytorch/issues/40560")
def weighted_mean_over_pixels(z, y):
    return F.cross_entropy(z, y, weight=z.new_tensor(W3), reduction="none").mean()


@written("mean_over_pixels", "numpy", merged(NUMPY, C2), "cross_entropy", W2, weights="fixed", expect="weights = { source = 'per_batch' }\nreduction = 'mean'")
def numpy_weighted_mean_over_pixels(z, y):
    z = z - z.max(1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    return -(np.array(W2)[y] * np.take_along_axis(log_p, y[:, None], 1)[:, 0]).mean()
