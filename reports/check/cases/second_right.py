"""More losses that are what they are meant to be, made without knowing what the search finds.

Words of `options` beside those of `first_right.py`:

    scheme      complement, median_frequency, enet, effective (with `beta`), as segloss has them, too
    normalise   expected_one: the weights of an image are scaled so that its pixels weigh 1 in the mean
    reduction   mean_images: divided by the number of images
    power       of the class' size in a generalised Dice (2)
    prior       counts of the classes that were known before
    weights     of an overlap: the classes' losses are averaged with them
"""
from .case import CHANNEL, INDICES, JAX, KERAS, NUMPY, ONE, ONE_HOT, PROBABILITIES, TORCH, VOID, Lazy, merged, right_ones

np, torch, F, nn = Lazy("numpy"), Lazy("torch"), Lazy("torch.nn.functional"), Lazy("torch.nn")
tf, keras = Lazy("tensorflow"), Lazy("keras")
jax, jnp, optax = Lazy("jax"), Lazy("jax.numpy"), Lazy("optax")
monai, smp, kornia = Lazy("monai.losses"), Lazy("segmentation_models_pytorch.losses"), Lazy("kornia.losses")
nnunet, nnunet_dice = Lazy("nnunetv2.training.loss.compound_losses"), Lazy("nnunetv2.training.loss.dice")
tv, ndimage = Lazy("torchvision.ops"), Lazy("scipy.ndimage")

CASES, library, written = right_ones("second")
W3, W4, W5 = [0.4, 1.1, 3.0], [0.4, 1.0, 2.5, 5.0], [0.2, 0.9, 1.5, 2.0, 6.0]
C2, C4, C5, C6 = (dict(classes=c) for c in (2, 4, 5, 6))


# ---------------------------------------------------------------------------------------------------------- PyTorch
library("torch_nll_weight", "pytorch", merged(TORCH, C4), "cross_entropy",
        lambda: lambda z, y: F.nll_loss(F.log_softmax(z, dim=1), y, weight=z.new_tensor(W4)), W4, weights="fixed")
library("torch_cross_entropy_smoothing_ignore", "pytorch", merged(TORCH, C2, dict(ignored=-100, images=3)), "cross_entropy",
        lambda: nn.CrossEntropyLoss(label_smoothing=0.2), label_smoothing=0.2, ignore_index=-100)
library("torch_multilabel_soft_margin", "pytorch", merged(TORCH, ONE_HOT, C2), "binary_cross_entropy", lambda: nn.MultiLabelSoftMarginLoss())
library("torch_bce_weight_map_sum", "pytorch", merged(TORCH, ONE, dict(images=1)), "binary_cross_entropy",
        lambda: lambda z, y: F.binary_cross_entropy_with_logits(z, y, weight=1 + 4 * y, reduction="sum"), [1.0, 5.0], weights="fixed", reduction="sum")
library("torchvision_focal_map", "torchvision", merged(TORCH, ONE), "focal",
        lambda: lambda z, y: tv.sigmoid_focal_loss(z, y, alpha=0.6, gamma=1), [0.4, 0.6],
        activation="sigmoid", gamma=1.0, weights="fixed", reduction="none")

# ------------------------------------------------------------------------------------------------ Keras, TensorFlow
library("keras_categorical_smoothing", "keras", merged(KERAS, C4), "cross_entropy",
        lambda: keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.05, reduction="mean"), label_smoothing=0.05)
library("keras_binary_smoothing", "keras", merged(KERAS, ONE), "binary_cross_entropy",
        lambda: keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2), label_smoothing=0.2)
library("keras_categorical_focal_alphas", "keras", merged(KERAS, PROBABILITIES), "focal",
        lambda: keras.losses.CategoricalFocalCrossentropy(alpha=[0.1, 0.3, 0.6], gamma=3), [0.1, 0.3, 0.6],
        gamma=3.0, weights="fixed", reduction="mean_all", clip=1e-7)


@written("tensorflow", merged(KERAS, ONE, dict(images=4)), "binary_cross_entropy", reduction="mean_images")
def tf_sum_of_each_image(y_true, y_pred):
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=y_true, logits=y_pred)
    return tf.reduce_mean(tf.reduce_sum(losses, axis=[1, 2, 3]))


@written("tensorflow", merged(KERAS, INDICES, C4), "cross_entropy", W4, weights="fixed")
def tf_losses_weighted_mean(labels, logits):
    return tf.compat.v1.losses.sparse_softmax_cross_entropy(
        labels, logits, weights=tf.gather(tf.constant(W4, logits.dtype), labels), reduction=tf.compat.v1.losses.Reduction.MEAN)


@written("tensorflow", merged(KERAS, INDICES, VOID), "cross_entropy", ignore_index=255)
def tf_boolean_mask(y_true, y_pred):
    valid = tf.not_equal(y_true, 255)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(tf.boolean_mask(y_true, valid), tf.boolean_mask(y_pred, valid)))


@written("keras", merged(KERAS, ONE, dict(ignored=-1)), "binary_cross_entropy", ignore_index=-1)
def keras_masked_bce(y_true, y_pred):
    valid = keras.ops.cast(keras.ops.not_equal(y_true, -1), y_pred.dtype)
    losses = keras.ops.softplus(y_pred) - keras.ops.maximum(y_true, 0) * y_pred
    return keras.ops.sum(losses * valid) / keras.ops.maximum(keras.ops.sum(valid), 1)


@written("tensorflow", merged(KERAS, INDICES, C2), "top_k_cross_entropy", keep=0.6, count="floor")
def tf_hard_pixels(labels, logits):
    losses = tf.reshape(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits), [-1])
    k = max(1, int(0.6 * losses.shape[0]))
    return tf.reduce_mean(tf.nn.top_k(losses, k=k, sorted=False).values)


@written("keras", KERAS, "dice", region="image", squared=True, classes="foreground", smooth=1.0)
def keras_squared_dice_of_foreground(y_true, y_pred):
    y, p = y_true[..., 1:], keras.ops.softmax(y_pred)[..., 1:]
    both, squares = keras.ops.sum(y * p, axis=(1, 2)), keras.ops.sum(y * y + p * p, axis=(1, 2))
    return keras.ops.mean(1 - (2 * both + 1) / (squares + 1))


# ------------------------------------------------------------------------------------------------------------ MONAI
library("monai_jaccard_of_foreground", "monai", merged(TORCH, CHANNEL, C4), "jaccard",
        lambda: monai.DiceLoss(include_background=False, to_onehot_y=True, softmax=True, jaccard=True, batch=True), classes="foreground", smooth=5e-6)
library("monai_dice_sigmoid_squared", "monai", merged(TORCH, ONE_HOT, C2), "dice",
        lambda: monai.DiceLoss(sigmoid=True, squared_pred=True, batch=True, smooth_nr=0.0, smooth_dr=1e-6),
        activation="sigmoid", squared=True, smooth=1e-6, smooth_nr=0.0)
library("monai_dice_weight", "monai", merged(TORCH, CHANNEL), "dice",
        lambda: monai.DiceLoss(to_onehot_y=True, softmax=True, weight=[0.5, 1.0, 1.5]), [0.5, 1.0, 1.5], region="image", smooth=1e-5, weights="fixed")
library("monai_dice_ce_lambdas", "monai", merged(TORCH, CHANNEL, C4), "cross_entropy + dice",
        lambda: monai.DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, squared_pred=True, lambda_dice=0.3, lambda_ce=0.7),
        factors=[0.7, 0.3], terms=[{}, dict(region="image", classes="foreground", squared=True, smooth=1e-5)])
library("monai_generalized_dice_simple", "monai", merged(TORCH, CHANNEL), "generalized_dice",
        lambda: monai.GeneralizedDiceLoss(to_onehot_y=True, softmax=True, w_type="simple", batch=True, smooth_nr=0.0, smooth_dr=1e-6),
        power=1, smooth=1e-6, smooth_nr=0.0, absent="largest_present")
library("monai_dice_focal_binary", "monai", merged(TORCH, ONE), "focal + dice",
        lambda: monai.DiceFocalLoss(sigmoid=True, gamma=1.5, batch=True, lambda_dice=0.4, lambda_focal=0.6),
        factors=[0.6, 0.4], terms=[dict(activation="sigmoid", gamma=1.5), dict(activation="sigmoid", smooth=1e-5)])
library("monai_generalized_dice_focal", "monai", merged(TORCH, CHANNEL, C2), "focal + generalized_dice",
        lambda: monai.GeneralizedDiceFocalLoss(to_onehot_y=True, softmax=True, gamma=1.0, lambda_focal=0.5),
        factors=[0.5, 1.0], terms=[dict(activation="sigmoid", gamma=1.0), dict(region="image", smooth=1e-5, absent="largest_present")])

# ----------------------------------------------------------------------------------- segmentation_models_pytorch
library("smp_focal_tversky_binary", "smp", merged(TORCH, ONE, INDICES), "focal_tversky",
        lambda: smp.TverskyLoss("binary", alpha=0.4, beta=0.6, gamma=1.5, smooth=1.0),
        activation="sigmoid", alpha=0.4, beta=0.6, gamma=1.5, smooth=1.0, absent="zero")
library("smp_focal_ignore", "smp", merged(TORCH, VOID, C4), "focal", lambda: smp.FocalLoss("multiclass", gamma=3.0, ignore_index=255),
        activation="sigmoid", gamma=3.0, ignore_index=255)
library("smp_focal_multilabel", "smp", merged(TORCH, ONE_HOT, C2), "focal", lambda: smp.FocalLoss("multilabel", gamma=1.5), activation="sigmoid", gamma=1.5)
library("smp_dice_of_probabilities", "smp", merged(TORCH, PROBABILITIES), "dice",
        lambda: smp.DiceLoss("multiclass", classes=[1, 2], from_logits=False), classes="foreground", absent="zero")

# ----------------------------------------------------------------------------------------------------------- kornia
library("kornia_focal_alpha", "kornia", merged(TORCH, C4), "focal", lambda: kornia.FocalLoss(alpha=0.25, gamma=1.0, reduction="mean"),
        [0.75, 0.25, 0.25, 0.25], gamma=1.0, weights="fixed", reduction="mean_all", factor=1 / 4)
library("kornia_tversky_ignore", "kornia", merged(TORCH, VOID), "tversky", lambda: kornia.TverskyLoss(alpha=0.3, beta=0.7, ignore_index=255),
        region="image", classes="present", average="images", alpha=0.3, beta=0.7, smooth=1e-8, smooth_nr=0.0, ignore_index=255)

# ------------------------------------------------------------------------------------------------------------ optax
library("optax_smooth_labels", "optax", merged(JAX, C4), "cross_entropy",
        lambda: lambda z, y: optax.softmax_cross_entropy(z, optax.smooth_labels(y, 0.15)).mean(), label_smoothing=0.15)
library("optax_binary_dice", "optax", merged(JAX, ONE), "dice", lambda: lambda z, y: jnp.mean(optax.losses.binary_dice_loss(z, y, smooth=0.25)),
        activation="sigmoid", region="image", smooth=0.5)


@written("jax", JAX, "jaccard", region="image", squared=True, smooth=1e-3)
def jax_tanimoto(logits, y):
    p = jax.nn.softmax(logits)
    both = jnp.einsum("nhwc,nhwc->nc", p, y)
    squares = jnp.einsum("nhwc,nhwc->nc", p, p) + jnp.einsum("nhwc,nhwc->nc", y, y)
    return jnp.mean(1 - (both + 1e-3) / (squares - both + 1e-3))


# ---------------------------------------------------------------------------------------------------------- nnU-Net
library("nnunet_dice_ce_weighted", "nnunet", merged(TORCH, CHANNEL, C4), "cross_entropy + dice",
        lambda: nnunet.DC_and_CE_loss(dict(batch_dice=False, smooth=0.5, do_bg=True, ddp=False), {"weight": torch.tensor(W4)}, weight_ce=2.0, weight_dice=0.5),
        W4, factors=[2.0, 0.5], terms=[dict(weights="fixed"), dict(region="image", smooth=0.5)], offset=-0.5)
library("nnunet_memory_efficient_dice", "nnunet", merged(TORCH, CHANNEL), "dice",
        lambda: nnunet_dice.MemoryEfficientSoftDiceLoss(apply_nonlin=lambda x: torch.softmax(x, 1), batch_dice=True, do_bg=False, smooth=1.0, ddp=False),
        classes="foreground", smooth=1.0, offset=-1.0)
# ------------------------------------------------------------------------- mmsegmentation and burn, rebuilt
@written("mmseg (rebuilt)", merged(TORCH, VOID), "tversky", region="image", alpha=0.3, beta=0.7, smooth=1.0, ignore_index=255)
def mmseg_tversky(pred, target):
    valid = (target != 255).flatten(1).to(pred.dtype)
    p, total = pred.softmax(1), 0
    for i in range(pred.shape[1]):
        p_i, y_i = p[:, i].flatten(1), (target == i).flatten(1).to(pred.dtype)
        tp, fp, fn = (p_i * y_i * valid).sum(1), (p_i * (1 - y_i) * valid).sum(1), ((1 - p_i) * y_i * valid).sum(1)
        total = total + (1 - (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1)).mean()
    return total / pred.shape[1]


@written("mmseg (rebuilt)", merged(TORCH, VOID), "binary_cross_entropy", ignore_index=255)
def mmseg_binary_cross_entropy(pred, label):
    valid = ((label >= 0) & (label != 255))[:, None].expand_as(pred)
    y = (label[:, None] == torch.arange(pred.shape[1])[:, None, None]).to(pred.dtype)
    losses = F.binary_cross_entropy_with_logits(pred, y, reduction="none")
    return (losses * valid).sum() / valid.sum()  # avg_non_ignore=True


@written("burn (rebuilt)", merged(TORCH, C5), "cross_entropy", label_smoothing=0.1)
def burn_label_smoothing(logits, targets):
    flat = logits.permute(0, 2, 3, 1).reshape(-1, logits.shape[1])
    one = torch.zeros_like(flat).scatter(1, targets.reshape(-1, 1), 1.0)
    smoothed = one * (1 - 0.1) + 0.1 / flat.shape[1]
    return -(flat.log_softmax(1) * smoothed).sum(1).mean()


# ------------------------------------------------------------------------------------------- written by themselves
def hot(y, like):
    """Labels as (N, C, H, W)."""
    return torch.eye(like.shape[1], dtype=like.dtype)[y].permute(0, 3, 1, 2)


@written("pytorch", merged(TORCH, C4), "cross_entropy", weights="per_batch", scheme="median_frequency")
def median_frequency(z, y):
    counts, where = [], []
    for c in range(z.shape[1]):
        mine = y == c
        counts.append(mine.sum())
        where.append(mine.flatten(1).any(1).sum() * y[0].numel())  # pixels of the images that have it
    frequency = torch.stack(counts) / torch.stack(where).clamp(min=1)
    weight = torch.zeros(z.shape[1], dtype=z.dtype)
    here = frequency > 0
    weight[here] = (torch.quantile(frequency[here], 0.5) / frequency[here]).to(z.dtype)
    return F.cross_entropy(z, y, weight)


@written("pytorch", TORCH, "cross_entropy", weights="per_batch", scheme="effective", beta=0.99)
def class_balanced(z, y):
    labels, n = y.unique(return_counts=True)
    weight = z.new_zeros(z.shape[1])
    weight[labels] = (1 - 0.99) / (1 - 0.99 ** n.to(z.dtype))
    weight = weight / weight.sum() * z.shape[1]
    return F.cross_entropy(z, y, weight=weight)


@written("pytorch", merged(TORCH, C5), "cross_entropy", weights="per_sample", scheme="enet")
def enet_weights_of_each_image(z, y):
    share = hot(y, z).mean((2, 3))
    weight = 1 / torch.log(1.02 + share)
    at = weight.gather(1, y.flatten(1)).view_as(y)
    return (at * F.cross_entropy(z, y, reduction="none")).sum() / at.sum()


@written("numpy", merged(NUMPY, C2), "cross_entropy", weights="per_sample", scheme="inverse_sqrt")
def numpy_root_of_frequency(z, y):
    top = z.max(axis=1, keepdims=True)
    log_p = z - top - np.log(np.sum(np.exp(z - top), axis=1, keepdims=True))
    loss = weights = 0.0
    for image, labels in zip(log_p, y):
        classes, at, n = np.unique(labels, return_inverse=True, return_counts=True)
        w = 1 / np.sqrt(n / labels.size)[at.reshape(labels.shape)]
        own = image.reshape(len(image), -1)[labels.ravel(), np.arange(labels.size)].reshape(labels.shape)
        loss, weights = loss - (w * own).sum(), weights + w.sum()
    return loss / weights


@written("pytorch", merged(TORCH, C4), "cross_entropy", weights="per_batch", scheme="complement")
def one_minus_frequency(z, y):
    share = torch.histc(y.to(z.dtype), bins=z.shape[1], min=0, max=z.shape[1] - 1) / y.numel()
    return F.cross_entropy(z, y, weight=1 - share, reduction="sum") / (1 - share)[y].sum().clamp(min=1e-12)


@written("pytorch", merged(TORCH, dict(images=3)), "cross_entropy", weights="per_sample", scheme="inverse", normalise="expected_one")
def mean_of_weighted_images(z, y):
    losses = []
    for i in range(len(z)):
        n = torch.stack([(y[i] == c).sum() for c in range(z.shape[1])])
        weight = torch.where(n > 0, n.sum() / n.clamp(min=1), 0).to(z.dtype)
        losses.append(F.cross_entropy(z[i : i + 1], y[i : i + 1], weight=weight))
    return torch.stack(losses).mean()


@written("pytorch", merged(TORCH, C4), "cross_entropy", weights="per_batch", scheme="inverse")
def mean_of_each_class(z, y):
    losses = -z.log_softmax(1).gather(1, y.unsqueeze(1)).squeeze(1)
    return torch.stack([losses[y == c].mean() for c in y.unique()]).mean()


@written("pytorch", merged(TORCH, ONE), "binary_cross_entropy", weights="per_sample", scheme="complement", reduction="mean_all")
def edge_balanced_bce(z, y):
    positive = y.mean(dim=(1, 2, 3), keepdim=True)
    weight = torch.where(y > 0.5, 1 - positive, positive)
    return F.binary_cross_entropy_with_logits(z, y, weight=weight)


@written("pytorch", merged(TORCH, C5, VOID), "focal", W5, gamma=5.0, weights="fixed", ignore_index=255)
def focal_by_nll(z, y):
    log_p = F.log_softmax(z, dim=1)
    return F.nll_loss((1 - log_p.exp()) ** 5 * log_p, y, weight=z.new_tensor(W5), ignore_index=255)


@written("numpy", merged(NUMPY, PROBABILITIES, ONE_HOT, C2), "jaccard", region="image", smooth=0.1)
def numpy_jaccard(p, y):
    p, y = p.reshape(*p.shape[:2], -1), y.reshape(*y.shape[:2], -1)
    both, either = np.sum(p * y, -1), np.sum(p + y - p * y, -1)
    return np.mean(1 - (both + 0.1) / (either + 0.1))


@written("pytorch", merged(TORCH, C4), "generalized_dice", region="image", absent="zero", smooth=1e-9)
def generalized_dice_of_each_image(z, y):
    p, one = z.softmax(1).flatten(2), hot(y, z).flatten(2)
    n = one.sum(-1)
    w = (n > 0) / n.clamp(min=1).square()
    score = (2 * (w * (p * one).sum(-1)).sum(1) + 1e-9) / ((w * (p.sum(-1) + n)).sum(1) + 1e-9)
    return (1 - score).mean()


@written("pytorch", merged(TORCH, ONE, VOID), "lovasz_hinge", ignore_index=255)
def lovasz_hinge_of_valid(z, y):
    valid = y != 255
    z, y = z[valid], y[valid]
    errors, order = torch.sort(1 - z * (2 * y - 1), descending=True)
    y = y[order]
    left = y.sum() - torch.cumsum(y, 0)
    jaccard = 1 - left / (y.sum() + torch.cumsum(1 - y, 0))
    steps = torch.diff(jaccard, prepend=jaccard.new_zeros(1))
    return torch.dot(F.relu(errors), steps)


@written("pytorch", merged(TORCH, C4), "focal_tversky", alpha=0.25, beta=0.75, gamma=2.0, classes="foreground", smooth=0.5)
def focal_tversky_of_foreground(z, y):
    p, one = z.softmax(1)[:, 1:], hot(y, z)[:, 1:]
    tp = torch.einsum("nchw,nchw->c", p, one)
    fp, fn = torch.einsum("nchw->c", p) - tp, torch.einsum("nchw->c", one) - tp
    return (1 - (tp + 0.5) / (tp + 0.25 * fp + 0.75 * fn + 0.5)).square().mean()


@written("pytorch", TORCH, "cross_entropy + jaccard", W3, factors=[0.4, 0.6], terms=[dict(weights="fixed"), dict(smooth=1.0)])
def weighted_cross_entropy_and_iou(z, y):
    p, one = torch.softmax(z, 1), hot(y, z)
    both = (p * one).sum((0, 2, 3))
    iou = (both + 1) / (p.sum((0, 2, 3)) + one.sum((0, 2, 3)) - both + 1)
    return 0.4 * F.cross_entropy(z, y, weight=z.new_tensor(W3)) + 0.6 * (1 - iou).mean()


@written("pytorch", merged(TORCH, ONE), "focal + tversky", factors=[20.0, 1.0],
         terms=[dict(activation="sigmoid", gamma=2.0), dict(activation="sigmoid", region="image", alpha=0.3, beta=0.7, smooth=1.0)])
def focal_and_tversky(z, y):
    ce = F.binary_cross_entropy_with_logits(z, y, reduction="none")
    p, t = z.sigmoid().flatten(1), y.flatten(1)
    focal = (ce * (z.sigmoid() * (1 - y) + (1 - z.sigmoid()) * y) ** 2).mean()
    tp, fp, fn = (p * t).sum(1), (p * (1 - t)).sum(1), ((1 - p) * t).sum(1)
    return 20 * focal + (1 - (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1)).mean()


@written("pytorch", merged(TORCH, ONE), "binary_cross_entropy + lovasz_hinge", factors=[1.0, 0.5], terms=[{}, dict(region="image")])
def bce_and_lovasz(z, y):
    total = 0
    for image, mask in zip(z.flatten(1), y.flatten(1)):
        errors, order = (1 - image * (2 * mask - 1)).sort(descending=True)
        mask = mask[order]
        jaccard = 1 - (mask.sum() - mask.cumsum(0)) / (mask.sum() + (1 - mask).cumsum(0))
        total = total + errors.clamp(min=0) @ torch.cat((jaccard[:1], jaccard.diff()))
    return F.binary_cross_entropy_with_logits(z, y) + 0.5 * total / len(z)


@written("pytorch", merged(TORCH, ONE), "mcc", activation="sigmoid", region="image", smooth=1e-3)
def correlation(z, y):
    p, y = torch.sigmoid(z).flatten(1), y.flatten(1)
    tp, fp = (p * y).sum(1), (p * (1 - y)).sum(1)
    fn, tn = ((1 - p) * y).sum(1), ((1 - p) * (1 - y)).sum(1)
    root = torch.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn) + 1e-3)
    return (1 - (tp * tn - fp * fn) / root).mean()


@written("pytorch", merged(TORCH, C4), "poly1_cross_entropy", W4, epsilon=-0.5, weights="fixed")
def poly1_below_cross_entropy(z, y):
    w = z.new_tensor(W4)[y]
    ce = F.cross_entropy(z, y, reduction="none")
    return torch.sum(w * (ce - 0.5 * (1 - torch.exp(-ce)))) / w.sum()


@written("pytorch", merged(TORCH, C4), "ldam", margin=0.4, scale=5.0, prior=[9000, 700, 200, 50])
def ldam_of_known_counts(z, y):
    margins = z.new_tensor([9000, 700, 200, 50]) ** -0.25
    margins = margins * (0.4 / margins.max())
    pushed = z - margins[y].unsqueeze(1) * hot(y, z)
    return F.cross_entropy(5 * pushed, y)


@written("pytorch", TORCH, "exponential_logarithmic", smooth=0.1, dice_weight=0.5, cross_weight=0.5, gamma_dice=0.6, gamma_cross=1.0)
def exponential_logarithmic_of_six_tenths(z, y):
    p, one = z.softmax(1), hot(y, z)
    dice = (2 * (p * one).sum((0, 2, 3)) + 0.1) / (p.sum((0, 2, 3)) + one.sum((0, 2, 3)) + 0.1)
    return 0.5 * (-torch.log(dice)).pow(0.6).mean() + 0.5 * F.cross_entropy(z, y)


@written("pytorch", merged(TORCH, C2), "boundary", [0.0, 1.0], weights="fixed")
def boundary_of_foreground(z, y):
    p = z.softmax(1)[:, 1]
    far = torch.zeros_like(p)
    for i, mask in enumerate((y == 1).numpy()):
        if mask.any() and not mask.all():
            outside, inside = ndimage.distance_transform_edt(~mask), ndimage.distance_transform_edt(mask)
            far[i] = torch.as_tensor(outside * ~mask - (inside - 1) * mask)
    return torch.einsum("nhw,nhw->nhw", p, far).mean()


@written("pytorch", merged(TORCH, C4), "top_k_cross_entropy", region="image", keep=0.4, count="floor")
def hard_pixels_of_each_image(z, y):
    losses = F.cross_entropy(z, y, reduction="none").flatten(1)
    return losses.topk(max(1, int(0.4 * losses.shape[1])), dim=1)[0].mean()


@written("pytorch", merged(TORCH, C6), "cross_entropy")
def cross_entropy_of_six(z, y):
    z = z.movedim(1, -1)
    return (z.logsumexp(-1) - z.gather(-1, y[..., None])[..., 0]).sum() / y.numel()


@written("torchmetrics (by hand)", merged(TORCH, C5), "dice", smooth=1e-6)
def macro_dice(z, y):
    p, one = z.softmax(dim=1), hot(y, z)
    tp = torch.einsum("nchw,nchw->c", p, one)
    fp, fn = torch.einsum("nchw,nchw->c", p, 1 - one), torch.einsum("nchw,nchw->c", 1 - p, one)
    return 1 - ((2 * tp + 1e-6) / (2 * tp + fp + fn + 1e-6)).mean()


@written("jax", merged(JAX, C4), "focal", gamma=3.0, factor=2.0)
def jax_focal(logits, y):
    log_p = jax.nn.log_softmax(logits, axis=-1)
    own = jnp.einsum("nhwc,nhwc->nhw", y, log_p)
    return 2.0 * jnp.mean(-((1 - jnp.exp(own)) ** 3) * own)
