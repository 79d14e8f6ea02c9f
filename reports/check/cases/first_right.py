"""Losses that are what they are meant to be.

`kind` and `options` are in segloss' words (region, squared, smooth, classes, activation, reduction, gamma ...), with
defaults as there: region batch, classes all, activation softmax (sigmoid of one channel), reduction mean, smooth 0.
Beyond those:

    factor, offset     the value is factor * segloss' value + offset
    reduction          none: the value is a map
    weights            fixed (see class_weights) | per_batch | per_sample
    smooth_nr          what is added above the line of an overlap, where it is not `smooth`
    absent             zero: an absent class costs 0 but counts in the mean; largest_present: its weight
    clip               probabilities are held this far from 0 and 1 (what comes from probabilities has to)
    terms, factors     of a sum, in the order of `kind`
"""
from .case import CHANNEL, INDICES, JAX, KERAS, NUMPY, ONE, ONE_HOT, PROBABILITIES, TORCH, VOID, Lazy, merged, right_ones

np, torch, F, nn = Lazy("numpy"), Lazy("torch"), Lazy("torch.nn.functional"), Lazy("torch.nn")
tf, keras = Lazy("tensorflow"), Lazy("keras")
jax, jnp, optax = Lazy("jax"), Lazy("jax.numpy"), Lazy("optax")
monai, smp, kornia = Lazy("monai.losses"), Lazy("segmentation_models_pytorch.losses"), Lazy("kornia.losses")
nnunet, nnunet_dice, tv = Lazy("nnunetv2.training.loss.compound_losses"), Lazy("nnunetv2.training.loss.dice"), Lazy("torchvision.ops")
ndimage = Lazy("scipy.ndimage")

CASES, library, written = right_ones("first")
W3 = [0.5, 2.0, 4.0]


# ---------------------------------------------------------------------------------------------------------- PyTorch
C2 = dict(classes=2)
library("torch_cross_entropy", "pytorch", TORCH, "cross_entropy", lambda: nn.CrossEntropyLoss())
library("torch_cross_entropy_weight", "pytorch", TORCH, "cross_entropy",
        lambda: nn.CrossEntropyLoss(weight=torch.tensor(W3)), W3, weights="fixed")
library("torch_cross_entropy_ignore", "pytorch", merged(TORCH, VOID, C2), "cross_entropy",
        lambda: nn.CrossEntropyLoss(ignore_index=255), ignore_index=255)
library("torch_cross_entropy_weight_ignore", "pytorch", merged(TORCH, VOID), "cross_entropy",
        lambda: lambda z, y: F.cross_entropy(z, y, weight=z.new_tensor(W3), ignore_index=255), W3, weights="fixed", ignore_index=255)
library("torch_cross_entropy_smoothing", "pytorch", merged(TORCH, C2), "cross_entropy",
        lambda: nn.CrossEntropyLoss(label_smoothing=0.1), label_smoothing=0.1)
library("torch_cross_entropy_smoothing_weight", "pytorch", TORCH, "cross_entropy",
        lambda: lambda z, y: F.cross_entropy(z, y, weight=z.new_tensor(W3), label_smoothing=0.1), W3,
        weights="fixed", label_smoothing=0.1, smoothing_weight="class")
library("torch_cross_entropy_sum", "pytorch", merged(TORCH, C2), "cross_entropy", lambda: nn.CrossEntropyLoss(reduction="sum"), reduction="sum")
library("torch_cross_entropy_map", "pytorch", merged(TORCH, C2), "cross_entropy", lambda: nn.CrossEntropyLoss(reduction="none"), reduction="none")
library("torch_bce_with_logits", "pytorch", merged(TORCH, ONE), "binary_cross_entropy", lambda: nn.BCEWithLogitsLoss())
library("torch_bce_pos_weight", "pytorch", merged(TORCH, ONE), "binary_cross_entropy",
        lambda: lambda z, y: F.binary_cross_entropy_with_logits(z, y, pos_weight=z.new_tensor([5.0])), [1.0, 5.0],
        weights="fixed", reduction="mean_all")
library("torch_bce_multilabel_pos_weight", "pytorch", merged(TORCH, ONE_HOT), "binary_cross_entropy",
        lambda: lambda z, y: F.binary_cross_entropy_with_logits(z, y, pos_weight=z.new_tensor(W3).view(3, 1, 1)), W3,
        weights="fixed", reduction="mean_all")
library("torch_bce_probabilities", "pytorch", merged(TORCH, ONE, PROBABILITIES), "binary_cross_entropy", lambda: nn.BCELoss(), clip=3.7e-44)
@written("pytorch", merged(TORCH, ONE, VOID), "binary_cross_entropy", ignore_index=255)
def torch_bce_masked(z, y):
    valid = y != 255
    return F.binary_cross_entropy_with_logits(z[valid], y[valid])


# ------------------------------------------------------------------------------------------------------ torchvision
library("torchvision_focal", "torchvision", merged(TORCH, ONE), "focal",
        lambda: lambda z, y: tv.sigmoid_focal_loss(z, y, reduction="mean"), [0.75, 0.25],
        activation="sigmoid", gamma=2.0, weights="fixed", reduction="mean_all")
library("torchvision_focal_no_alpha", "torchvision", merged(TORCH, ONE_HOT, C2), "focal",
        lambda: lambda z, y: tv.sigmoid_focal_loss(z, y, alpha=-1, gamma=1.5, reduction="mean"), activation="sigmoid", gamma=1.5)
# ------------------------------------------------------------------------------------------------ Keras, TensorFlow
SPARSE = dict(forms=("indices",))
library("keras_categorical_logits", "keras", KERAS, "cross_entropy", lambda: keras.losses.CategoricalCrossentropy(from_logits=True))
library("keras_categorical_probabilities", "keras", merged(KERAS, PROBABILITIES, C2), "cross_entropy",
        lambda: keras.losses.CategoricalCrossentropy(), clip=1e-7)
library("keras_sparse_ignore_class", "keras", merged(KERAS, SPARSE, VOID, C2), "cross_entropy",
        lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255), ignore_index=255)
library("keras_binary_logits", "keras", merged(KERAS, ONE), "binary_cross_entropy", lambda: keras.losses.BinaryCrossentropy(from_logits=True))
library("keras_binary_probabilities", "keras", merged(KERAS, ONE, PROBABILITIES), "binary_cross_entropy",
        lambda: keras.losses.BinaryCrossentropy(), clip=1e-7)
library("keras_categorical_focal_probabilities", "keras", merged(KERAS, PROBABILITIES, C2), "focal",
        lambda: keras.losses.CategoricalFocalCrossentropy(), gamma=2.0, factor=0.25, clip=1e-7)
library("keras_binary_focal_probabilities", "keras", merged(KERAS, ONE, PROBABILITIES), "focal",
        lambda: keras.losses.BinaryFocalCrossentropy(apply_class_balancing=True), [0.75, 0.25],
        activation="sigmoid", gamma=2.0, weights="fixed", reduction="mean_all", clip=1e-7)
library("keras_binary_focal_logits", "keras", merged(KERAS, ONE), "focal",
        lambda: keras.losses.BinaryFocalCrossentropy(from_logits=True), activation="sigmoid", gamma=2.0)
library("keras_dice_pooled", "keras", merged(KERAS, PROBABILITIES, C2), "generalized_dice",
        lambda: keras.losses.Dice(), [1.0, 1.0], weights="fixed", smooth=1e-7, smooth_nr=0.0)
library("keras_dice_per_class", "keras", merged(KERAS, PROBABILITIES, C2), "dice", lambda: keras.losses.Dice(axis=(0, 1, 2)), smooth=1e-7, smooth_nr=0.0)
library("keras_dice_binary", "keras", merged(KERAS, ONE, PROBABILITIES), "dice", lambda: keras.losses.Dice(), activation="sigmoid", smooth=1e-7, smooth_nr=0.0)
library("keras_tversky", "keras", merged(KERAS, PROBABILITIES, C2), "tversky",
        lambda: keras.losses.Tversky(alpha=0.7, beta=0.3, axis=(1, 2)), region="image", alpha=0.3, beta=0.7, smooth=1e-7, smooth_nr=0.0)
library("tf_weighted_cross_entropy", "tensorflow", merged(KERAS, ONE), "binary_cross_entropy",
        lambda: lambda y, z: tf.reduce_mean(tf.nn.weighted_cross_entropy_with_logits(labels=y, logits=z, pos_weight=8.0)), [1.0, 8.0],
        weights="fixed", reduction="mean_all")


@written("keras", merged(KERAS, ONE, PROBABILITIES), "jaccard", activation="sigmoid", smooth=100.0, factor=100.0)
def keras_jaccard_distance(y_true, y_pred, smooth=100):
    both = tf.reduce_sum(y_true * y_pred)
    either = tf.reduce_sum(y_true + y_pred) - both
    return (1 - (both + smooth) / (either + smooth)) * smooth


# ------------------------------------------------------------------------------------------------------------ MONAI
IMAGE = dict(region="image", smooth=1e-5)
library("monai_dice_softmax", "monai", merged(TORCH, CHANNEL), "dice", lambda: monai.DiceLoss(to_onehot_y=True, softmax=True), **IMAGE)
library("monai_dice_sigmoid", "monai", merged(TORCH, ONE), "dice", lambda: monai.DiceLoss(sigmoid=True), activation="sigmoid", **IMAGE)
library("monai_dice_squared", "monai", merged(TORCH, ONE_HOT, C2), "dice", lambda: monai.DiceLoss(softmax=True, squared_pred=True), squared=True, **IMAGE)
library("monai_dice_foreground", "monai", merged(TORCH, CHANNEL), "dice",
        lambda: monai.DiceLoss(to_onehot_y=True, softmax=True, include_background=False), classes="foreground", **IMAGE)
library("monai_generalized_dice_image", "monai", merged(TORCH, CHANNEL, C2), "generalized_dice",
        lambda: monai.GeneralizedDiceLoss(to_onehot_y=True, softmax=True), region="image", smooth=1e-5, absent="largest_present")
library("monai_tversky", "monai", merged(TORCH, CHANNEL, C2), "tversky",
        lambda: monai.TverskyLoss(to_onehot_y=True, softmax=True, alpha=0.3, beta=0.7), alpha=0.3, beta=0.7, **IMAGE)
library("monai_focal_softmax", "monai", merged(TORCH, CHANNEL, C2), "focal",
        lambda: monai.FocalLoss(to_onehot_y=True, use_softmax=True), gamma=2.0, factor=1 / 2)
library("monai_dice_ce", "monai", merged(TORCH, CHANNEL), "cross_entropy + dice", lambda: monai.DiceCELoss(to_onehot_y=True, softmax=True), terms=[{}, IMAGE])
library("monai_dice_ce_binary", "monai", merged(TORCH, ONE), "binary_cross_entropy + dice", lambda: monai.DiceCELoss(sigmoid=True),
        terms=[{}, merged(IMAGE, dict(activation="sigmoid"))])
library("monai_dice_focal", "monai", merged(TORCH, CHANNEL, C2), "focal + dice",
        lambda: monai.DiceFocalLoss(to_onehot_y=True, softmax=True, gamma=2.0, lambda_focal=2.0),
        factors=[2.0, 1.0], terms=[dict(activation="sigmoid", gamma=2.0), IMAGE])  # its focal term has no softmax, MONAI issue 8242
library("monai_unified_focal", "monai", merged(TORCH, PROBABILITIES, ONE_HOT, dict(classes=2)), "unified_focal",
        lambda: monai.AsymmetricUnifiedFocalLoss(weight=0.5, gamma=0.5, delta=0.7),
        asymmetric=True, delta=0.7, gamma=0.5, mix=1 / 3, factor=0.75, region="image", smooth=1e-7, clip=1e-7)
library("monai_mcc", "monai", merged(TORCH, CHANNEL, C2), "mcc", lambda: monai.MCCLoss(to_onehot_y=True, softmax=True), **IMAGE)

# ----------------------------------------------------------------------------------- segmentation_models_pytorch
library("smp_dice", "smp", merged(TORCH, C2), "dice", lambda: smp.DiceLoss("multiclass"), absent="zero")
library("smp_dice_smooth_ignore", "smp", merged(TORCH, VOID, C2), "dice",
        lambda: smp.DiceLoss("multiclass", smooth=1.0, ignore_index=255), absent="zero", smooth=2.0, ignore_index=255)
library("smp_dice_binary", "smp", merged(TORCH, ONE, INDICES), "dice", lambda: smp.DiceLoss("binary"), activation="sigmoid", absent="zero")
library("smp_jaccard", "smp", merged(TORCH, C2), "jaccard", lambda: smp.JaccardLoss("multiclass"), absent="zero")
library("smp_tversky", "smp", merged(TORCH, C2), "tversky", lambda: smp.TverskyLoss("multiclass", alpha=0.3, beta=0.7), alpha=0.3, beta=0.7, absent="zero")
library("smp_focal", "smp", merged(TORCH, C2), "focal", lambda: smp.FocalLoss("multiclass", gamma=2.0), activation="sigmoid", gamma=2.0)
library("smp_lovasz", "smp", TORCH, "lovasz_softmax", lambda: smp.LovaszLoss("multiclass"), classes="present")
library("smp_lovasz_per_image", "smp", merged(TORCH, VOID, C2), "lovasz_softmax",
        lambda: smp.LovaszLoss("multiclass", per_image=True, ignore_index=255), classes="present", region="image", average="images", ignore_index=255)
library("smp_lovasz_binary", "smp", merged(TORCH, ONE, CHANNEL), "lovasz_hinge", lambda: smp.LovaszLoss("binary", per_image=False))
library("smp_soft_bce", "smp", merged(TORCH, ONE), "binary_cross_entropy", lambda: smp.SoftBCEWithLogitsLoss())
library("smp_soft_ce", "smp", merged(TORCH, C2), "cross_entropy", lambda: smp.SoftCrossEntropyLoss(smooth_factor=0.1), label_smoothing=0.1)
library("smp_mcc", "smp", merged(TORCH, ONE, PROBABILITIES), "mcc", lambda: smp.MCCLoss(), activation="sigmoid", smooth_counts=1e-5)

# ----------------------------------------------------------------------------------------------------------- kornia
library("kornia_focal", "kornia", merged(TORCH, C2), "focal",
        lambda: lambda z, y: kornia.focal_loss(z, y, alpha=None, gamma=2.0, reduction="mean"), gamma=2.0, factor=1 / 2)
library("kornia_dice_micro", "kornia", merged(TORCH, C2), "generalized_dice", lambda: kornia.DiceLoss(), [1.0, 1.0],
        weights="fixed", region="image", smooth=1e-8, smooth_nr=0.0)
library("kornia_dice_macro", "kornia", TORCH, "dice", lambda: kornia.DiceLoss(average="macro"),
        region="image", classes="present", average="images", smooth=1e-8, smooth_nr=0.0)
library("kornia_tversky", "kornia", merged(TORCH, C2), "tversky", lambda: kornia.TverskyLoss(alpha=0.6, beta=0.4),
        region="image", classes="present", average="images", alpha=0.6, beta=0.4, smooth=1e-8, smooth_nr=0.0)
library("kornia_lovasz_softmax", "kornia", merged(TORCH, C2), "lovasz_softmax", lambda: kornia.LovaszSoftmaxLoss(), region="image")
library("kornia_lovasz_hinge", "kornia", merged(TORCH, ONE, INDICES), "lovasz_hinge", lambda: kornia.LovaszHingeLoss(), region="image")

# ------------------------------------------------------------------------------------------------------------ optax
library("optax_softmax_cross_entropy", "optax", merged(JAX, C2), "cross_entropy", lambda: lambda z, y: optax.softmax_cross_entropy(z, y).mean())
library("optax_integer_labels", "optax", merged(JAX, INDICES, C2), "cross_entropy",
        lambda: optax.softmax_cross_entropy_with_integer_labels, reduction="none")
library("optax_sigmoid_focal", "optax", merged(JAX, ONE), "focal",
        lambda: lambda z, y: optax.sigmoid_focal_loss(z, y, alpha=0.25, gamma=2.0).mean(), [0.75, 0.25],
        activation="sigmoid", gamma=2.0, weights="fixed", reduction="mean_all")
library("optax_dice", "optax", merged(JAX, C2), "dice", lambda: lambda z, y: optax.losses.dice_loss(z, y).mean(), region="image", smooth=2.0)
library("optax_poly", "optax", merged(JAX, C2), "poly1_cross_entropy", lambda: lambda z, y: optax.losses.poly_loss_cross_entropy(z, y, epsilon=2.0).mean(), epsilon=2.0)


@written("jax", merged(JAX, INDICES, VOID, C2), "cross_entropy", ignore_index=255)
def jax_masked_cross_entropy(logits, labels):
    valid = labels != 255
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.where(valid, labels, 0))
    return jnp.sum(jnp.where(valid, losses, 0)) / jnp.maximum(valid.sum(), 1)


# ---------------------------------------------------------------------------------------------------------- nnU-Net
def nnunet_dice_kwargs(**more):
    return dict(batch_dice=True, smooth=1e-5, do_bg=False, ddp=False) | more


library("nnunet_dice_ce", "nnunet", merged(TORCH, CHANNEL), "cross_entropy + dice",
        lambda: nnunet.DC_and_CE_loss(nnunet_dice_kwargs(), {}), terms=[{}, dict(classes="foreground", smooth=1e-5)], offset=-1.0)
library("nnunet_dice_ce_ignore", "nnunet", merged(TORCH, CHANNEL, VOID, C2), "cross_entropy + dice",
        lambda: nnunet.DC_and_CE_loss(nnunet_dice_kwargs(batch_dice=False), {}, ignore_label=255, dice_class=nnunet_dice.MemoryEfficientSoftDiceLoss),
        terms=[dict(ignore_index=255), dict(classes="foreground", region="image", smooth=1e-5, ignore_index=255)], offset=-1.0, ignore_index=255)
library("nnunet_dice_top_k", "nnunet", merged(TORCH, CHANNEL, C2), "top_k_cross_entropy + dice",
        lambda: nnunet.DC_and_topk_loss(nnunet_dice_kwargs(), {"k": 30}),
        terms=[dict(keep=0.3, count="floor"), dict(classes="foreground", smooth=1e-5)], offset=-1.0)
library("nnunet_dice_bce", "nnunet", merged(TORCH, ONE_HOT, C2), "binary_cross_entropy + dice",
        lambda: nnunet.DC_and_BCE_loss({}, nnunet_dice_kwargs(do_bg=True)),
        terms=[{}, dict(activation="sigmoid", smooth=1e-5)], offset=-1.0)
library("nnunet_soft_dice", "nnunet", merged(TORCH, C2), "dice",
        lambda: nnunet_dice.SoftDiceLoss(apply_nonlin=lambda x: torch.softmax(x, 1), ddp=False), region="image", smooth=1.0, offset=-1.0)


# ------------------------------------------------------------------------------------- mmsegmentation, rebuilt
@written("mmseg (rebuilt)", merged(TORCH, VOID, C2), "cross_entropy", ignore_index=255)
def mmseg_cross_entropy(pred, label):
    losses = F.cross_entropy(pred, label, reduction="none", ignore_index=255)
    return losses.sum() / ((label != 255).sum() + torch.finfo(torch.float32).eps)  # avg_non_ignore=True


@written("mmseg (rebuilt)", merged(TORCH, VOID, C2), "dice", region="image", squared=True, smooth=1e-3, ignore_index=255)
def mmseg_dice(pred, target):
    valid = (target != 255)[:, None]
    p = pred.softmax(1) * valid
    y = F.one_hot(target.clamp(0, pred.shape[1] - 1), pred.shape[1]).movedim(-1, 1) * valid
    both, squares = (p * y).sum((2, 3)), (p**2).sum((2, 3)) + (y**2).sum((2, 3))
    return (1 - (2 * both + 1e-3) / (squares + 1e-3)).mean()


@written("mmseg (rebuilt)", merged(TORCH, C2), "focal", [0.5, 0.5], activation="sigmoid", gamma=2.0, factor=0.5)
def mmseg_focal(pred, target):
    y = F.one_hot(target, pred.shape[1]).movedim(-1, 1).to(pred.dtype)
    p = pred.sigmoid()
    other = (1 - p) * y + p * (1 - y)
    weight = (0.5 * y + 0.5 * (1 - y)) * other**2
    return (F.binary_cross_entropy_with_logits(pred, y, reduction="none") * weight).mean()


# --------------------------------------------------------------------------------------- burn and candle, rebuilt
@written("burn (rebuilt)", TORCH, "cross_entropy", W3, weights="fixed")
def burn_cross_entropy(logits, targets):
    flat = logits.movedim(1, -1).reshape(-1, logits.shape[1]).log_softmax(1)
    y = targets.reshape(-1)
    weights = logits.new_tensor(W3)[y]
    return -(flat.gather(1, y[:, None])[:, 0] * weights).sum() / weights.sum()


@written("burn (rebuilt)", merged(TORCH, ONE, CHANNEL), "binary_cross_entropy")
def burn_binary_cross_entropy(logits, targets):
    y = targets.to(logits.dtype)
    return ((1 - y) * logits - F.logsigmoid(logits)).mean()


@written("candle (rebuilt)", merged(TORCH, C2), "cross_entropy")
def candle_cross_entropy(logits, targets):
    flat = logits.movedim(1, -1).reshape(-1, logits.shape[1]).log_softmax(1)
    return -flat.gather(1, targets.reshape(-1, 1)).sum() / targets.numel()


# ------------------------------------------------------------------------------------------- written by themselves
def hot(y, like):
    """Labels as (N, C, H, W)."""
    return F.one_hot(y, like.shape[1]).movedim(-1, 1).to(like.dtype)


@written("numpy", merged(NUMPY, C2), "cross_entropy")
def numpy_cross_entropy(z, y):
    z = z - z.max(1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    return -np.take_along_axis(log_p, y[:, None], 1).mean()


@written("numpy", NUMPY, "cross_entropy", weights="per_batch", scheme="inverse")
def numpy_inverse_frequency_cross_entropy(z, y):
    counts = np.bincount(y.ravel(), minlength=z.shape[1])
    w = np.where(counts > 0, y.size / (z.shape[1] * np.maximum(counts, 1)), 0.0)[y]
    z = z - z.max(1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    return -(w * np.take_along_axis(log_p, y[:, None], 1)[:, 0]).sum() / w.sum()


@written("numpy", merged(NUMPY, PROBABILITIES, ONE_HOT, C2), "dice", smooth=1.0)
def numpy_dice(p, y):
    axes = (0, 2, 3)
    return (1 - (2 * (p * y).sum(axes) + 1) / (p.sum(axes) + y.sum(axes) + 1)).mean()


@written("numpy", merged(NUMPY, ONE), "binary_cross_entropy")
def numpy_binary_cross_entropy(z, y):
    return (np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))).mean()


@written("pytorch", merged(TORCH, C2), "cross_entropy", weights="per_batch", scheme="inverse")
def inverse_frequency_cross_entropy(z, y):
    counts = torch.bincount(y.flatten(), minlength=z.shape[1]).to(z.dtype)
    weight = torch.where(counts > 0, y.numel() / counts.clamp(min=1), 0)
    return F.cross_entropy(z, y, weight=weight)


@written("pytorch", merged(TORCH, VOID), "cross_entropy", weights="per_sample", scheme="inverse", ignore_index=255)
def inverse_frequency_per_image_cross_entropy(z, y):
    total = weights = 0
    for image, labels in zip(z, y):
        valid = labels != 255
        counts = torch.bincount(labels[valid], minlength=z.shape[1]).to(z.dtype)
        weight = torch.where(counts > 0, valid.sum() / (z.shape[1] * counts.clamp(min=1)), 0)
        at = weight[labels.clamp(max=z.shape[1] - 1)] * valid
        total = total + (at * F.cross_entropy(image[None], labels[None], reduction="none", ignore_index=255)[0]).sum()
        weights = weights + at.sum()
    return total / weights


@written("pytorch", TORCH, "focal", W3, gamma=2.0, weights="fixed")
def focal_alpha_per_class(z, y):
    log_p = z.log_softmax(1).gather(1, y[:, None])[:, 0]
    alpha = z.new_tensor(W3)[y]
    return (alpha * (1 - log_p.exp()) ** 2 * -log_p).sum() / alpha.sum()


@written("pytorch", merged(TORCH, C2), "top_k_cross_entropy", keep=0.25, count="floor")
def hard_pixels(z, y):
    losses = F.cross_entropy(z, y, reduction="none").flatten()
    return losses.topk(max(1, int(0.25 * losses.numel()))).values.mean()


@written("pytorch", merged(TORCH, VOID, C2), "top_k_cross_entropy", keep=0.25, count="floor", confidence=0.5, ignore_index=255)
def ohem(z, y):
    valid = y != 255
    losses = F.cross_entropy(z, y, reduction="none", ignore_index=255)[valid]
    hardest = losses.sort(descending=True).values
    bound = hardest[max(int(0.25 * losses.numel()), 1) - 1].detach()
    return losses[(losses >= bound) | (torch.exp(-losses) < 0.5)].mean()


@written("pytorch", merged(TORCH, C2), "tversky", alpha=0.3, beta=0.7, smooth=1.0)
def tversky(z, y):
    p, y = z.softmax(1), hot(y, z)
    tp, fp, fn = (p * y).sum((0, 2, 3)), (p * (1 - y)).sum((0, 2, 3)), ((1 - p) * y).sum((0, 2, 3))
    return (1 - (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1)).mean()


@written("pytorch", merged(TORCH, ONE), "focal_tversky", activation="sigmoid", alpha=0.3, beta=0.7, gamma=0.75, smooth=1.0)
def focal_tversky(z, y):
    p = z.sigmoid()
    tp, fp, fn = (p * y).sum(), (p * (1 - y)).sum(), ((1 - p) * y).sum()
    return (1 - (tp + 1) / (tp + 0.7 * fn + 0.3 * fp + 1)) ** 0.75


@written("pytorch", merged(TORCH, ONE), "dice", activation="sigmoid", smooth=1.0)
def unet_dice(z, y):
    p = z.sigmoid().reshape(-1)
    y = y.reshape(-1)
    return 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)


@written("pytorch", merged(TORCH, ONE), "binary_cross_entropy + dice", factors=[0.5, 1.0],
         terms=[{}, dict(activation="sigmoid", region="image", smooth=1e-5)])
def bce_dice(z, y):
    bce = F.binary_cross_entropy_with_logits(z, y)
    p, y = z.sigmoid().flatten(1), y.flatten(1)
    dice = (2 * (p * y).sum(1) + 1e-5) / (p.sum(1) + y.sum(1) + 1e-5)
    return 0.5 * bce + 1 - dice.mean()


@written("pytorch", merged(TORCH, C2), "cross_entropy + lovasz_softmax", terms=[{}, dict(classes="present")])
def cross_entropy_lovasz(z, y):
    p, y0, total, present = z.softmax(1).movedim(1, -1).reshape(-1, z.shape[1]), y.flatten(), 0, 0
    for c in range(z.shape[1]):
        mine = (y0 == c).to(z.dtype)
        if mine.sum() == 0:
            continue
        errors, order = (mine - p[:, c]).abs().sort(descending=True)
        sorted_ = mine[order]
        union = sorted_.sum() + (1 - sorted_).cumsum(0)
        jaccard = 1 - (sorted_.sum() - sorted_.cumsum(0)) / union
        slope = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
        total, present = total + errors @ slope, present + 1
    return F.cross_entropy(z, y) + total / present


@written("pytorch", TORCH, "generalized_dice", absent="zero")
def generalized_dice(z, y):
    p, y = z.softmax(1), hot(y, z)
    n = y.sum((0, 2, 3))
    w = torch.where(n > 0, 1 / n.clamp(min=1) ** 2, 0)
    return 1 - 2 * (w * (p * y).sum((0, 2, 3))).sum() / (w * (p + y).sum((0, 2, 3))).sum()


@written("pytorch", merged(TORCH, C2), "poly1_cross_entropy", epsilon=1.0)
def poly1(z, y):
    ce = F.cross_entropy(z, y, reduction="none")
    return (ce + 1 - z.softmax(1).gather(1, y[:, None])[:, 0]).mean()


@written("pytorch", TORCH, "seesaw", p=0.8, q=2.0)
def seesaw(z, y):
    n = torch.bincount(y.flatten(), minlength=z.shape[1]).clamp(min=1).to(z.dtype)
    mitigate = (n[None, :] / n[:, None]).clamp(max=1) ** 0.8
    with torch.no_grad():
        own = z.log_softmax(1).gather(1, y[:, None])
        compensate = (2.0 * (z.log_softmax(1) - own)).clamp(min=0)
    adjusted = z + (mitigate[y].log().movedim(-1, 1) + compensate) * (1 - hot(y, z))
    return F.cross_entropy(adjusted, y)


@written("pytorch", TORCH, "ldam", margin=0.5, scale=10.0)
def ldam(z, y):
    n = torch.bincount(y.flatten(), minlength=z.shape[1]).to(z.dtype)
    smallest = n[n > 0].min()
    margins = torch.where(n > 0, 0.5 * (smallest / n.clamp(min=1)) ** 0.25, 0.5)
    return F.cross_entropy(10.0 * (z - hot(y, z) * margins[None, :, None, None]), y)


@written("pytorch", merged(TORCH, C2), "recall_cross_entropy")
def recall_cross_entropy(z, y):
    missed = z.argmax(1) != y
    weight = torch.stack([missed[y == c].to(z.dtype).mean() if (y == c).any() else z.new_zeros(()) for c in range(z.shape[1])])
    return (weight[y] * F.cross_entropy(z, y, reduction="none")).mean()


@written("pytorch", merged(TORCH, C2), "exponential_logarithmic", smooth=1.0, dice_weight=0.8, cross_weight=0.2, gamma_dice=0.3, gamma_cross=0.3)
def exponential_logarithmic(z, y):
    log_p = z.log_softmax(1)
    p, one = log_p.exp(), hot(y, z)
    dice = (2 * (p * one).sum((0, 2, 3)) + 1) / ((p + one).sum((0, 2, 3)) + 1)
    cross = -log_p.gather(1, y[:, None])
    return 0.8 * (-dice.log()).pow(0.3).mean() + 0.2 * cross.clamp(min=1e-30).pow(0.3).mean()


@written("pytorch", merged(TORCH, ONE_HOT, C2), "jaccard_metric", region="image", smooth=1e-6, smooth_nr=0.0)
def jaccard_metric(z, y):
    p = z.softmax(1)
    apart, total = (p - y).abs().sum((2, 3)), (p + y).sum((2, 3))
    return (2 * apart / (total + apart + 2e-6)).mean()


@written("pytorch", merged(TORCH, ONE_HOT, C2), "dice_semimetric", region="image", smooth=1e-6, smooth_nr=0.0)
def dice_semimetric(z, y):
    p = z.softmax(1)
    apart, total = (p - y).abs().sum((2, 3)), (p + y).sum((2, 3))
    return (apart / (total + 1e-6)).mean()


@written("pytorch", merged(TORCH, C2), "boundary")
def boundary(z, y):
    p = z.softmax(1)
    phi = np.zeros(tuple(z.shape))
    for n, labels in enumerate(y.numpy()):
        for c in range(z.shape[1]):
            mine = labels == c
            if mine.any() and not mine.all():
                phi[n, c] = ndimage.distance_transform_edt(~mine) - (ndimage.distance_transform_edt(mine) - 1) * mine
    return (torch.as_tensor(phi, dtype=z.dtype) * p).mean()


@written("pytorch", TORCH, "unified_focal", asymmetric=False, delta=0.6, gamma=0.5, mix=0.5, smooth=1e-7)
def unified_focal(z, y):
    log_p, one = z.log_softmax(1), hot(y, z)
    p = log_p.exp()
    weight = torch.where(y == 0, 0.4, 0.6).to(z.dtype)
    own = log_p.gather(1, y[:, None])[:, 0]
    focal = (weight * (1 - own.exp()).clamp(min=1e-30) ** 0.5 * -own).mean()
    tp, fp, fn = (p * one).sum((0, 2, 3)), (p * (1 - one)).sum((0, 2, 3)), ((1 - p) * one).sum((0, 2, 3))
    index = (tp + 1e-7) / (tp + 0.6 * fn + 0.4 * fp + 1e-7)
    return 0.5 * focal + 0.5 * ((1 - index).clamp(min=1e-30) ** 0.5).mean()
