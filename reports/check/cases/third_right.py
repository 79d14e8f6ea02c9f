"""More losses that are what they are meant to be, made last, without knowing what the search finds.

Words of `options` beside those of `first_right.py` and `second_right.py`:

    logit_adjustment   t·ln π is added to the logits, of the counts in `prior` or, without them, of the batch's
    threshold          of a sigmoid: its logit is taken from the logits
    negatives          what weighs the negatives of a binary loss; `same`: each channel's own weight
    average            weights: a binary loss is divided by the sum of the weights of its entries
    reduction          sum of an overlap: over images and classes
"""
from .case import CHANNEL, INDICES, JAX, KERAS, NUMPY, ONE, ONE_HOT, PROBABILITIES, TORCH, VOID, Lazy, merged, right_ones

math, np, torch, F, nn = Lazy("math"), Lazy("numpy"), Lazy("torch"), Lazy("torch.nn.functional"), Lazy("torch.nn")
tf, keras, K = Lazy("tensorflow"), Lazy("keras"), Lazy("keras.ops")
jax, jnp, optax = Lazy("jax"), Lazy("jax.numpy"), Lazy("optax")
monai, smp, kornia = Lazy("monai.losses"), Lazy("segmentation_models_pytorch.losses"), Lazy("kornia.losses")
nnunet, supervision = Lazy("nnunetv2.training.loss.compound_losses"), Lazy("nnunetv2.training.loss.deep_supervision")
tv, ndimage = Lazy("torchvision.ops"), Lazy("scipy.ndimage")

CASES, library, written = right_ones("third")
W3, U3, W4 = [0.3, 1.2, 2.5], [0.6, 0.9, 1.5], [0.2, 1.0, 3.0, 8.0]
C2, C4, C5 = (dict(classes=c) for c in (2, 4, 5))
FIRST, LAST = dict(layout="channels_first"), dict(layout="channels_last")
COUNTS = [12000, 900, 150]


# ---------------------------------------------------------------------------------------------------------- PyTorch
library("torch_cross_entropy_of_distributions_weight", "pytorch", merged(TORCH, ONE_HOT), "cross_entropy",
        lambda: lambda z, y: F.cross_entropy(z, y, weight=z.new_tensor(W3)), W3, weights="fixed", reduction="mean_all")
library("torch_cross_entropy_weighted_map", "pytorch", merged(TORCH, C4, VOID), "cross_entropy",
        lambda: lambda z, y: F.cross_entropy(z, y, weight=z.new_tensor(W4), ignore_index=255, reduction="none"), W4,
        weights="fixed", ignore_index=255, reduction="none")
library("torch_bce_weight_of_channels", "pytorch", merged(TORCH, ONE_HOT), "binary_cross_entropy",
        lambda: lambda z, y: F.binary_cross_entropy_with_logits(z, y, weight=z.new_tensor(W3).view(3, 1, 1)), W3,
        weights="fixed", negatives="same", reduction="mean_all")


@written("pytorch", merged(TORCH, dict(ignored=0, images=3)), "cross_entropy", ignore_index=0)
def cross_entropy_without_background(z, y):
    return F.cross_entropy(z, y, ignore_index=0, reduction="sum") / (y > 0).sum().clamp(min=1)


@written("pytorch", merged(TORCH, C4, dict(images=3)), "cross_entropy", reduction="mean_images")
def torch_kl_divergence_batchmean(z, y):
    return nn.KLDivLoss(reduction="batchmean")(z.log_softmax(1), hot(y, z))


@written("pytorch", merged(TORCH, LAST, C5), "cross_entropy")
def torch_channels_last(z, y):
    return nn.NLLLoss()(nn.LogSoftmax(dim=-1)(z).permute(0, 3, 1, 2).contiguous(), y)


# ------------------------------------------------------------------------------------------------ Keras, TensorFlow
library("keras_sparse_probabilities_sum", "keras", merged(KERAS, INDICES, PROBABILITIES, C4), "cross_entropy",
        lambda: keras.losses.SparseCategoricalCrossentropy(reduction="sum"), reduction="sum", clip=1e-7)
library("keras_categorical_function", "keras", merged(KERAS, PROBABILITIES, C5), "cross_entropy",
        lambda: keras.losses.categorical_crossentropy, reduction="none", clip=1e-7)


@written("tensorflow", merged(KERAS, INDICES, VOID, C4), "cross_entropy", ignore_index=255)
def tf_losses_of_nonzero_weights(labels, logits):
    weights = tf.cast(tf.not_equal(labels, 255), logits.dtype)  # as DeepLab's training does
    one = tf.one_hot(labels, 4, dtype=logits.dtype)
    return tf.compat.v1.losses.softmax_cross_entropy(tf.reshape(one, [-1, 4]), tf.reshape(logits, [-1, 4]), weights=tf.reshape(weights, [-1]))


@written("tensorflow", merged(KERAS, ONE), "binary_cross_entropy", [1.0, 6.0], weights="fixed", average="weights")
def tf_losses_weighted_sigmoid(y_true, y_pred):
    return tf.compat.v1.losses.sigmoid_cross_entropy(y_true, y_pred, weights=1 + 5 * y_true, reduction=tf.compat.v1.losses.Reduction.MEAN)


@written("tensorflow-addons (rebuilt)", KERAS, "focal", [0.25, 0.25, 0.25], activation="sigmoid", gamma=2.0, weights="fixed", negatives=0.75,
         reduction="mean_all", factor=3.0)
def tfa_sigmoid_focal(y_true, y_pred):
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=y_true, logits=y_pred)
    p = tf.sigmoid(y_pred)
    missing = 1 - (y_true * p + (1 - y_true) * (1 - p))
    alpha = 0.25 * y_true + 0.75 * (1 - y_true)
    return tf.reduce_mean(tf.reduce_sum(alpha * missing**2 * losses, axis=-1))


@written("segmentation_models (rebuilt)", merged(KERAS, PROBABILITIES, C4), "tversky", alpha=0.2, beta=0.8, smooth=2e-6, classes="foreground")
def keras_f2_of_foreground(gt, pr):
    gt, pr = gt[..., 1:], pr[..., 1:]
    tp = K.sum(gt * pr, axis=[0, 1, 2])
    fp, fn = K.sum(pr, axis=[0, 1, 2]) - tp, K.sum(gt, axis=[0, 1, 2]) - tp
    return 1 - K.mean((5 * tp + 1e-5) / (5 * tp + 4 * fn + fp + 1e-5))


@written("segmentation_models (rebuilt)", KERAS, "dice", [0.5, 1.0, 2.1], weights="fixed", smooth=1e-5, factor=1.2, offset=-0.2)
def keras_dice_of_unscaled_class_weights(gt, logits):
    pr = K.softmax(logits, axis=-1)
    score = (2 * K.sum(gt * pr, axis=[0, 1, 2]) + 1e-5) / (K.sum(gt + pr, axis=[0, 1, 2]) + 1e-5)
    return 1 - K.mean(score * K.convert_to_tensor([0.5, 1.0, 2.1], dtype=score.dtype))


@written("keras", merged(KERAS, FIRST), "jaccard", W3, region="image", smooth=1.0, weights="fixed")
def keras_weighted_jaccard_channels_first(y_true, y_pred):
    p, w = tf.nn.softmax(y_pred, axis=1), tf.constant(W3, y_pred.dtype)
    both = tf.einsum("nchw,nchw->nc", p, y_true)
    either = tf.einsum("nchw->nc", p + y_true) - both
    return tf.reduce_mean(tf.reduce_sum(w * (either - both) / (either + 1), axis=1)) / tf.reduce_sum(w)


@written("keras", merged(KERAS, PROBABILITIES, C4), "unified_focal", asymmetric=False, delta=0.7, gamma=0.25, mix=0.4, smooth=1e-6, region="image",
         clip=1e-7)
def keras_symmetric_unified_focal(y_true, y_pred):
    p = K.clip(y_pred, 1e-7, 1 - 1e-7)
    delta = K.convert_to_tensor([0.3, 0.7, 0.7, 0.7], dtype=p.dtype)
    focal = K.mean(K.sum(delta * y_true * K.power(1 - p, 0.25) * -K.log(p), axis=-1))
    tp, fn, fp = (K.sum(entries, axis=(1, 2)) for entries in (y_true * p, y_true * (1 - p), (1 - y_true) * p))
    index = (tp + 1e-6) / (tp + 0.7 * fn + 0.3 * fp + 1e-6)
    return 0.4 * focal + 0.6 * K.mean(K.power(1 - index, 0.75))


@written("tensorflow", KERAS, "lovasz_hinge", region="image")
def tf_lovasz_hinge_of_channels(y_true, y_pred):
    y = tf.transpose(tf.reshape(y_true, [tf.shape(y_true)[0], -1, 3]), [0, 2, 1])
    z = tf.transpose(tf.reshape(y_pred, [tf.shape(y_pred)[0], -1, 3]), [0, 2, 1])
    errors = 1 - z * (2 * y - 1)
    order = tf.argsort(errors, axis=-1, direction="DESCENDING", stable=True)
    errors, y = tf.gather(errors, order, batch_dims=2), tf.gather(y, order, batch_dims=2)
    n = tf.reduce_sum(y, -1, keepdims=True)
    jaccard = 1 - (n - tf.cumsum(y, -1)) / (n + tf.cumsum(1 - y, -1))
    steps = jaccard - tf.pad(jaccard[..., :-1], [[0, 0], [0, 0], [1, 0]])
    return tf.reduce_mean(tf.reduce_sum(tf.nn.relu(errors) * tf.stop_gradient(steps), -1))


@written("keras", KERAS, "jaccard_metric", smooth=0.5, smooth_nr=0.0)
def keras_jaccard_metric(y_true, y_pred):
    p = tf.nn.softmax(y_pred)
    apart = tf.reduce_sum(tf.abs(p - y_true), axis=[0, 1, 2])
    total = tf.reduce_sum(p + y_true, axis=[0, 1, 2])
    return 1 - tf.reduce_mean((total - apart + 1) / (total + apart + 1))


@written("keras", merged(KERAS, C2), "cross_entropy + boundary", [0.0, 1.0], factors=[1.0, 0.05], terms=[{}, dict(weights="fixed")])
def keras_cross_entropy_and_boundary(y_true, y_pred):
    def distances(masks):
        far = np.zeros(masks.shape, masks.dtype)
        for i, mask in enumerate(masks > 0.5):
            if mask.any() and not mask.all():
                far[i] = ndimage.distance_transform_edt(~mask) - (ndimage.distance_transform_edt(mask) - 1) * mask
        return far

    far = tf.numpy_function(distances, [y_true[..., 1]], y_pred.dtype)
    cross_entropy = tf.nn.softmax_cross_entropy_with_logits(labels=y_true, logits=y_pred)
    return tf.reduce_mean(cross_entropy) + 0.05 * tf.reduce_mean(far * tf.nn.softmax(y_pred)[..., 1])


# ------------------------------------------------------------------------------------------------------------ optax, jax
library("optax_sigmoid_sum_of_channels", "optax", merged(JAX, C4), "binary_cross_entropy",
        lambda: lambda z, y: optax.losses.sigmoid_binary_cross_entropy(z, y).sum(-1).mean(), factor=4.0)
library("optax_tversky_of_foreground", "optax", JAX, "tversky",
        lambda: lambda z, y: optax.losses.dice_loss(z, y, alpha=0.2, beta=0.8, smooth=0.5, ignore_background=True).mean(),
        region="image", classes="foreground", alpha=0.2, beta=0.8, smooth=0.5)


@written("jax", merged(JAX, INDICES), "cross_entropy", logit_adjustment=0.5, prior=COUNTS)
def jax_logit_adjusted(logits, labels):
    prior = jnp.array(COUNTS) / sum(COUNTS)
    return optax.softmax_cross_entropy_with_integer_labels(logits + 0.5 * jnp.log(prior), labels).mean()


@written("jax", merged(JAX, FIRST, C4), "generalized_dice", region="image", power=1, absent="zero", smooth=1e-3)
def jax_generalized_dice_of_inverse_sizes(logits, y):
    p, n = jax.nn.softmax(logits, axis=1), y.sum((2, 3))
    w = jnp.where(n > 0, 1 / jnp.where(n > 0, n, 1), 0)
    both, total = (w * (p * y).sum((2, 3))).sum(1), (w * (p + y).sum((2, 3))).sum(1)
    return jnp.mean(1 - (2 * both + 1e-3) / (total + 1e-3))


@written("jax", merged(JAX, INDICES, dict(ignored=-1)), "poly1_cross_entropy", epsilon=3.0, ignore_index=-1)
def jax_poly1_of_valid(logits, labels):
    valid = labels >= 0
    own = jnp.take_along_axis(jax.nn.log_softmax(logits), jnp.maximum(labels, 0)[..., None], axis=-1)[..., 0]
    return jnp.where(valid, 3 * (1 - jnp.exp(own)) - own, 0).sum() / valid.sum()


@written("jax", merged(JAX, C4), "mcc", classes="foreground", smooth=1e-4)
def jax_correlation_of_foreground(logits, y):
    p, y = jax.nn.softmax(logits)[..., 1:].reshape(-1, 3), y[..., 1:].reshape(-1, 3)
    n, sp, sy, tp = len(p), p.sum(0), y.sum(0), (p * y).sum(0)
    tn = n - sp - sy + tp
    return 1 - jnp.mean((tp * tn - (sp - tp) * (sy - tp)) / jnp.sqrt(sp * sy * (n - sp) * (n - sy) + 1e-4))


@written("jax", merged(JAX, ONE_HOT), "generalized_dice", [1.0, 1.0, 1.0], weights="fixed", region="image", smooth=1.0)
def jax_dice_of_all_classes_of_an_image(logits, y):
    def one(logits, y):
        p = jax.nn.softmax(logits)
        return 1 - (2 * jnp.vdot(p, y) + 1) / (p.sum() + y.sum() + 1)

    return jax.vmap(one)(logits, y).mean()


@written("jax", JAX, "dice_semimetric", region="image", classes="foreground", smooth=0.1, smooth_nr=0.0)
def jax_dice_semimetric(logits, y):
    p, y = jax.nn.softmax(logits)[..., 1:], y[..., 1:]
    return jnp.mean(jnp.abs(p - y).sum((1, 2)) / (p.sum((1, 2)) + y.sum((1, 2)) + 0.1))


@written("jax", merged(JAX, INDICES, C4), "seesaw", p=0.8, q=1.5, prior=[5000, 800, 90, 20])
def jax_seesaw_of_known_counts(logits, labels):
    n = jnp.array([5000, 800, 90, 20], logits.dtype)
    mitigation = jnp.minimum(1, n[None] / n[:, None]) ** 0.8
    own = jnp.take_along_axis(logits, labels[..., None], axis=-1)
    compensation = jnp.maximum(0, 1.5 * (logits - own))
    factor = jax.lax.stop_gradient(jnp.log(mitigation[labels]) + compensation)
    return optax.softmax_cross_entropy_with_integer_labels(logits + factor, labels).mean()


@written("jax", JAX, "cross_entropy + focal_tversky", factors=[1.0, 2.0],
         terms=[dict(label_smoothing=0.05), dict(region="image", alpha=0.3, beta=0.7, gamma=0.75, smooth=1.0)])
def jax_smoothed_cross_entropy_and_focal_tversky(logits, y):
    p = jax.nn.softmax(logits)
    tp, fp, fn = (p * y).sum((1, 2)), (p * (1 - y)).sum((1, 2)), ((1 - p) * y).sum((1, 2))
    index = (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1)
    return optax.softmax_cross_entropy(logits, optax.smooth_labels(y, 0.05)).mean() + 2 * jnp.mean((1 - index) ** 0.75)


# ------------------------------------------------------------------------------------------------------------ MONAI
library("monai_focal_class_weights", "monai", merged(TORCH, CHANNEL), "focal",
        lambda: monai.FocalLoss(to_onehot_y=True, use_softmax=True, gamma=1.0, weight=W3), W3,
        gamma=1.0, weights="fixed", reduction="mean_all", factor=1 / 3)
library("monai_dice_ce_weight", "monai", merged(TORCH, CHANNEL), "cross_entropy + dice",
        lambda: lambda z, y: monai.DiceCELoss(to_onehot_y=True, softmax=True, weight=z.new_tensor(U3))(z, y), U3,
        terms=[dict(weights="fixed"), dict(weights="fixed", region="image", smooth=1e-5)])
library("monai_generalized_dice_uniform", "monai", merged(TORCH, ONE_HOT), "generalized_dice",
        lambda: monai.GeneralizedDiceLoss(sigmoid=True, w_type="uniform", batch=True), [1.0, 1.0, 1.0],
        activation="sigmoid", weights="fixed", smooth=1e-5)
library("monai_boundary_of_foreground", "monai", merged(TORCH, CHANNEL), "boundary",
        lambda: monai.BoundaryLoss(include_background=False, to_onehot_y=True, softmax=True), [0.0, 1.0, 1.0], weights="fixed")
library("monai_tversky_sum", "monai", merged(TORCH, ONE), "tversky",
        lambda: monai.TverskyLoss(sigmoid=True, alpha=0.6, beta=0.4, smooth_nr=1.0, smooth_dr=1.0, reduction="sum"),
        activation="sigmoid", region="image", alpha=0.6, beta=0.4, smooth=1.0, reduction="sum")
library("monai_mcc_of_channels", "monai", merged(TORCH, ONE_HOT, C2), "mcc", lambda: monai.MCCLoss(sigmoid=True, batch=True), activation="sigmoid", smooth=1e-5)

# ----------------------------------------------------------------------------------- segmentation_models_pytorch
library("smp_soft_bce_smoothing_pos_weight", "smp", merged(TORCH, ONE), "binary_cross_entropy",
        lambda: lambda z, y: smp.SoftBCEWithLogitsLoss(smooth_factor=0.05, pos_weight=z.new_tensor(3.0))(z, y), [1.0, 3.0],
        weights="fixed", label_smoothing=0.1, reduction="mean_all")
library("smp_focal_binary_ignore", "smp", merged(TORCH, ONE, dict(ignored=2)), "focal",
        lambda: smp.FocalLoss("binary", alpha=0.8, gamma=4.0, ignore_index=2), [0.2, 0.8],
        activation="sigmoid", gamma=4.0, weights="fixed", reduction="mean_valid", ignore_index=2)
library("smp_focal_and_lovasz", "smp", merged(TORCH, C4), "focal + lovasz_softmax",
        lambda: lambda z, y: 0.75 * smp.FocalLoss("multiclass", gamma=1.0)(z, y) + 0.25 * smp.LovaszLoss("multiclass", from_logits=True)(z, y),
        factors=[0.75, 0.25], terms=[dict(activation="sigmoid", gamma=1.0), dict(classes="present")])

# ----------------------------------------------------------------------------------------------------------- kornia
library("kornia_lovasz_weight", "kornia", TORCH, "lovasz_softmax",
        lambda: lambda z, y: kornia.lovasz_softmax_loss(z, y, weight=z.new_tensor(U3)), U3, region="image", weights="fixed")
library("kornia_binary_focal_pos_weight", "kornia", merged(TORCH, ONE_HOT), "focal",
        lambda: lambda z, y: kornia.binary_focal_loss_with_logits(z, y, alpha=None, gamma=2.0, pos_weight=z.new_tensor(W3), reduction="mean"), W3,
        activation="sigmoid", gamma=2.0, weights="fixed", reduction="mean_all")
library("kornia_dice_macro_weight", "kornia", merged(TORCH, VOID), "dice",
        lambda: lambda z, y: kornia.dice_loss(z, y, average="macro", eps=1e-5, weight=z.new_tensor(W3), ignore_index=255), W3,
        region="image", classes="present", average="images", weights="fixed", smooth=1e-5, smooth_nr=0.0, ignore_index=255)


# ---------------------------------------------------------------------------------------------------------- nnU-Net
@written("nnunet", merged(TORCH, CHANNEL), "cross_entropy + dice", terms=[{}, dict(region="image")], factors=[0.5, 0.5], offset=-0.5)
def nnunet_deep_supervision(z, y):
    loss = nnunet.DC_and_CE_loss(dict(batch_dice=False, smooth=0.0, do_bg=True, ddp=False), {})
    return supervision.DeepSupervisionWrapper(loss, weight_factors=[0.5])([z], [y])


# ------------------------------------------------------------- fastai, Mask2Former, SAM, PaddleSeg and others, rebuilt
def hot(y, like):
    """Labels as (N, C, H, W)."""
    return (y[:, None] == torch.arange(like.shape[1])[:, None, None]).to(like.dtype)


@written("fastai (rebuilt)", merged(TORCH, C4), "dice", region="image", squared=True, smooth=1e-6, reduction="sum")
def fastai_dice(z, y):
    p, one = F.softmax(z, dim=1), hot(y, z)
    both, union = torch.sum(p * one, dim=(2, 3)), torch.sum(p**2 + one, dim=(2, 3))
    return (1 - (2 * both + 1e-6) / (union + 1e-6)).sum()


@written("mask2former (rebuilt)", merged(TORCH, ONE_HOT, C5), "binary_cross_entropy + dice", factors=[5.0, 5.0],
         terms=[{}, dict(activation="sigmoid", region="image", smooth=1.0)])
def mask2former_masks(z, y):
    z, y = z.flatten(0, 1).flatten(1), y.flatten(0, 1).flatten(1)  # a mask each
    p = z.sigmoid()
    dice = 1 - (2 * (p * y).sum(-1) + 1) / (p.sum(-1) + y.sum(-1) + 1)
    cross_entropy = F.binary_cross_entropy_with_logits(z, y, reduction="none").mean(1)
    return (5 * cross_entropy + 5 * dice).sum() / len(z)


@written("segment-anything (rebuilt)", merged(TORCH, ONE), "focal + dice", [0.75, 0.25], factors=[20.0, 1.0],
         terms=[dict(activation="sigmoid", gamma=2.0, weights="fixed", reduction="mean_all"), dict(activation="sigmoid", region="image", smooth=1.0)])
def sam_masks(z, y):
    p = torch.sigmoid(z)
    dice = 1 - (2 * (p * y).flatten(1).sum(1) + 1) / (p.flatten(1).sum(1) + y.flatten(1).sum(1) + 1)
    return 20 * tv.sigmoid_focal_loss(z, y, reduction="none").flatten(1).mean(1).mean() + dice.mean()


@written("paddleseg (rebuilt)", merged(TORCH, C4), "top_k_cross_entropy", region="image", keep=0.2, count="floor", confidence=0.6)
def paddle_bootstrapped(z, y):
    total = 0
    for losses in F.cross_entropy(z, y, reduction="none").flatten(1):
        k, least = max(1, int(0.2 * losses.numel())), -math.log(0.6)
        hardest = losses.sort(descending=True)[0]
        kept = hardest[hardest > least] if hardest[k - 1] > least else hardest[:k]
        total = total + kept.mean()
    return total / len(z)


@written("paddleseg (rebuilt)", merged(TORCH, ONE), "binary_cross_entropy", weights="per_batch", scheme="complement", reduction="mean_all", factor=2.0)
def paddle_dynamic_bce(z, y):
    positive, negative = y.sum(), (1 - y).sum()
    weight = y * (2 * negative / (positive + negative)) + (1 - y) * (2 * positive / (positive + negative))
    return (F.binary_cross_entropy_with_logits(z, y, reduction="none") * weight).mean()


@written("hed (rebuilt)", merged(TORCH, ONE, dict(images=3)), "binary_cross_entropy", weights="per_sample", scheme="complement", reduction="mean_images")
def hed_edges(z, y):
    total = 0
    for image, edges in zip(z, y):
        beta = 1 - edges.mean()
        total = total + F.binary_cross_entropy_with_logits(image, edges, weight=beta * edges + (1 - beta) * (1 - edges), reduction="sum")
    return total / len(z)


# ------------------------------------------------------------------------------------------- written by themselves
@written("pytorch", TORCH, "cross_entropy", logit_adjustment=1.0)
def balanced_softmax_of_the_batch(z, y):
    n = torch.bincount(y.reshape(-1), minlength=z.shape[1]).clamp(min=1).to(z.dtype)
    return F.cross_entropy(z + n.log().view(1, -1, 1, 1), y)


@written("pytorch", merged(TORCH, ONE), "binary_cross_entropy", threshold=0.2)
def bce_of_threshold_two_tenths(z, y):
    return F.binary_cross_entropy_with_logits(z - math.log(0.2 / 0.8), y)


@written("pytorch", merged(TORCH, ONE), "binary_cross_entropy + dice", [0.4, 0.6], factors=[0.3, 0.7], offset=-0.7,
         terms=[dict(weights="fixed", reduction="mean_all"), dict(activation="sigmoid", smooth=1.0)])
def combo_loss(z, y):
    cross_entropy = -(0.6 * y * F.logsigmoid(z) + 0.4 * (1 - y) * F.logsigmoid(-z)).mean()
    p = z.sigmoid()
    return 0.3 * cross_entropy - 0.7 * (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)


@written("pytorch", merged(TORCH, ONE), "binary_cross_entropy + dice + lovasz_hinge", factors=[0.4, 0.2, 0.4],
         terms=[{}, dict(activation="sigmoid", smooth=1e-3), {}])
def bce_dice_lovasz(z, y):
    p = z.sigmoid()
    dice = 1 - (2 * (p * y).sum() + 1e-3) / ((p + y).sum() + 1e-3)
    signs, flat = 2 * y.flatten() - 1, z.flatten()
    errors, order = torch.sort(1 - flat * signs, descending=True)
    sorted_ = y.flatten()[order]
    left, wrong = sorted_.sum() - sorted_.cumsum(0), (1 - sorted_).cumsum(0)
    jaccard = 1 - left / (sorted_.sum() + wrong)
    steps = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
    return 0.4 * F.binary_cross_entropy_with_logits(z, y) + 0.2 * dice + 0.4 * (errors.relu() * steps).sum()


@written("pytorch", merged(TORCH, VOID, C4), "cross_entropy + dice + focal", factors=[0.5, 0.3, 0.2], ignore_index=255,
         terms=[dict(ignore_index=255), dict(smooth=1.0, classes="foreground", ignore_index=255), dict(gamma=2.0, ignore_index=255)])
def cross_entropy_dice_focal(z, y):
    valid = y != 255
    losses = F.cross_entropy(z, y, ignore_index=255, reduction="none")[valid]
    p, one = z.softmax(1)[:, 1:] * valid[:, None], hot(y, z)[:, 1:]
    dice = 1 - (2 * (p * one).sum((0, 2, 3)) + 1) / ((p + one).sum((0, 2, 3)) + 1)
    return 0.5 * losses.mean() + 0.3 * dice.mean() + 0.2 * ((1 - torch.exp(-losses)) ** 2 * losses).mean()


@written("pytorch", TORCH, "generalized_dice + boundary", [0.0, 1.0, 1.0], factors=[0.99, 0.01], terms=[dict(absent="zero"), dict(weights="fixed")])
def generalized_dice_and_boundary(z, y):
    p, one = z.softmax(1), hot(y, z)
    n = one.sum((0, 2, 3))
    w = torch.where(n > 0, n.clamp(min=1) ** -2, torch.zeros_like(n))
    dice = 1 - 2 * (w * (p * one).sum((0, 2, 3))).sum() / (w * (p + one).sum((0, 2, 3))).sum()
    far = np.zeros(tuple(z[:, 1:].shape))
    for i, mask in np.ndenumerate(np.empty(far.shape[:2])):
        mask = one[i[0], i[1] + 1].numpy() > 0
        if mask.any() and not mask.all():
            far[i] = ndimage.distance_transform_edt(~mask) - (ndimage.distance_transform_edt(mask) - 1) * mask
    return 0.99 * dice + 0.01 * (p[:, 1:] * torch.as_tensor(far, dtype=p.dtype)).mean()


@written("pytorch", TORCH, "exponential_logarithmic", dice_weight=1.0, cross_weight=0.0, gamma_dice=1.0, gamma_cross=1.0, smooth=1.0)
def logarithm_of_dice(z, y):
    p, one = z.softmax(1), hot(y, z)
    return -torch.log((2 * (p * one).sum((0, 2, 3)) + 1) / ((p + one).sum((0, 2, 3)) + 1)).mean()


@written("pytorch", TORCH, "unified_focal", asymmetric=True, delta=0.6, gamma=0.2, mix=0.5, smooth=1e-3, region="image")
def asymmetric_unified_focal(z, y):
    log_p, one = z.log_softmax(1), hot(y, z)
    p = log_p.exp()
    background = 0.4 * (1 - p[:, 0]).clamp(min=1e-30) ** 0.2 * -log_p[:, 0] * one[:, 0]
    rare = 0.6 * -(log_p[:, 1:] * one[:, 1:]).sum(1)
    tp, fp, fn = (p * one).sum((2, 3)), (p * (1 - one)).sum((2, 3)), ((1 - p) * one).sum((2, 3))
    missing = 1 - (tp + 1e-3) / (tp + 0.6 * fn + 0.4 * fp + 1e-3)
    overlap = torch.cat([missing[:, :1], missing[:, 1:].clamp(min=1e-30) ** 0.8], 1)
    return 0.5 * (background + rare).mean() + 0.5 * overlap.mean()


@written("pytorch", merged(TORCH, VOID, C4), "recall_cross_entropy", region="image", ignore_index=255)
def recall_of_each_image(z, y):
    total, valid = 0, y != 255
    losses, missed = F.cross_entropy(z, y, ignore_index=255, reduction="none"), (z.argmax(1) != y).to(z.dtype)
    for i in range(len(z)):
        for c in y[i][valid[i]].unique():
            mine = y[i] == c
            total = total + missed[i][mine].mean() * losses[i][mine].sum()
    return total / valid.sum()


@written("pytorch", merged(TORCH, C4), "ldam", W4, margin=0.5, scale=30.0, prior=[9000, 4000, 300, 25], weights="fixed")
def ldam_with_deferred_weights(z, y):
    n = z.new_tensor([9000, 4000, 300, 25])
    margins = 0.5 * (n.min() / n) ** 0.25
    return F.cross_entropy(30 * (z - margins[None, :, None, None] * hot(y, z)), y, weight=z.new_tensor(W4))


@written("pytorch", TORCH, "cross_entropy + mcc", factors=[0.5, 1.0], terms=[{}, dict(region="image", smooth=1.0)])
def cross_entropy_and_correlation(z, y):
    p, one = z.softmax(1).flatten(2), hot(y, z).flatten(2)
    tp, fp, fn, tn = (p * one).sum(2), (p * (1 - one)).sum(2), ((1 - p) * one).sum(2), ((1 - p) * (1 - one)).sum(2)
    below = ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn) + 1).sqrt()
    return 0.5 * F.cross_entropy(z, y) + 1 - ((tp * tn - fp * fn) / below).mean()


# ------------------------------------------------------------------------------------------------------------ NumPy
@written("numpy", merged(NUMPY, LAST, C4), "focal", W4, gamma=1.0, weights="fixed")
def numpy_focal_channels_last(z, y):
    z = z - z.max(-1, keepdims=True)
    log_p = np.take_along_axis(z - np.log(np.exp(z).sum(-1, keepdims=True)), y[..., None], -1)[..., 0]
    return -np.average((1 - np.exp(log_p)) * log_p, weights=np.array(W4)[y])


@written("numpy", merged(NUMPY, LAST, PROBABILITIES), "lovasz_softmax", classes="foreground")
def numpy_lovasz_of_foreground(p, y):
    losses = []
    for c in range(1, p.shape[-1]):
        mine = (y == c).ravel()
        errors = np.abs(mine - p[..., c].ravel())
        order = np.argsort(-errors)
        mine = mine[order]
        union = mine.sum() + np.cumsum(~mine)
        jaccard = 1 - (mine.sum() - np.cumsum(mine)) / union
        losses.append(errors[order] @ np.diff(jaccard, prepend=0))
    return np.mean(losses)
