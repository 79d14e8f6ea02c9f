"""Computes every right case once more, in plain numpy, from its `kind` and `options` alone, and compares the values.

    python oracle.py [--only TEXT]    after make.py; says which differ
"""
import argparse
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
BATCHES = ["base", "image", "four", "twice", "soft", "shifted", "relabelled", "absent", "absent_in_one", "sure", "large", "pixel", "ignored", "ignored_changed"]
OVERLAPS = ["dice", "jaccard", "tversky", "focal_tversky", "generalized_dice", "mcc", "jaccard_metric", "dice_semimetric"]
SOFT = ["cross_entropy", "binary_cross_entropy", *OVERLAPS]  # of which the formulas below hold for soft targets


class Batch:
    """Probabilities, one-hot labels and the mask, channels first; of one channel the classes are absence and presence."""

    def __init__(self, x, target, case, kind, options):
        self.soft = False
        if case.layout == "channels_last":
            x = np.moveaxis(x, -1, 1)
            target = target if target.ndim < 4 else np.moveaxis(target, -1, 1)
        self.c = x.shape[1]
        self.sigmoid = kind == "binary_cross_entropy" or self.c == 1 or options.get("activation") == "sigmoid"
        if target.ndim == 4 and self.c > 1 and target.shape[1] == self.c:
            self.y, self.m = target.astype(float), target.sum(1) > 0
            self.soft = not np.isin(target, (0, 1)).all()
            self.labels = target.argmax(1)
        else:
            labels = (target if target.ndim < 4 else target[:, 0]).astype(int)
            ignored = options.get("ignore_index")
            self.m = np.ones(labels.shape, bool) if ignored is None else labels != ignored
            self.labels = np.where(self.m, labels, 0)
            self.y = (self.labels[:, None] == np.arange(self.c)[:, None, None]).astype(float) if self.c > 1 else self.labels[:, None].astype(float)
        if case.input == "logits":
            self.z = x.astype(float)
        elif self.c == 1:
            self.z = np.log(x) - np.log1p(-x)
        else:
            self.z = np.log(x)
        if "logit_adjustment" in options:
            n = np.array(options["prior"]) if "prior" in options else np.maximum((self.y * self.m[:, None]).sum((0, 2, 3)), 1)
            self.z = self.z + options["logit_adjustment"] * np.log(n / n.sum())[:, None, None]
        if "threshold" in options:
            self.z = self.z - np.log(options["threshold"] / (1 - options["threshold"]))
        if self.sigmoid:
            self.p = 1 / (1 + np.exp(-self.z))
            self.ln_p, self.ln_q = -np.logaddexp(0, -self.z), -np.logaddexp(0, self.z)
        else:
            self.ln_p = self.z - self.z.max(1, keepdims=True)
            self.ln_p = self.ln_p - np.log(np.exp(self.ln_p).sum(1, keepdims=True))
            self.p = np.exp(self.ln_p)

    def own(self, array):
        """The true class' entry."""
        if self.soft:
            return (self.y * array).sum(1)
        return np.take_along_axis(array, self.labels[:, None], 1)[:, 0]


def class_weights(b, o, fixed):
    """(N, C): a weight for each class of each image."""
    n = len(b.z)
    if o.get("weights") in ("per_batch", "per_sample"):
        counts = (b.y * b.m[:, None]).sum((2, 3))
        valid = np.repeat(b.m.sum((1, 2))[:, None], b.c, 1)
        where = np.where(counts > 0, valid, 0)  # pixels of the images that have the class
        if o["weights"] == "per_batch":
            counts, valid, where = (np.repeat(a.sum(0, keepdims=True), n, 0) for a in (counts, valid, where))
        f, some = counts / valid, np.maximum(counts, 1)
        own = counts / np.maximum(where, 1)
        median = np.array([[np.median(row[row > 0])] for row in own])
        w = {
            "inverse": lambda: valid / (b.c * some),
            "inverse_sqrt": lambda: (valid / (b.c * some)) ** 0.5,
            "complement": lambda: 1 - f,
            "median_frequency": lambda: median / np.where(own > 0, own, 1),
            "enet": lambda: 1 / np.log(1.02 + f),
            "effective": lambda: (1 - o["beta"]) / (1 - o["beta"] ** some),
        }[o["scheme"]]()
        w = np.where(counts > 0, w, 0)
        return w / (w * f).sum(1, keepdims=True) if o.get("normalise") == "expected_one" else w
    return np.repeat(np.array(fixed if o.get("weights") == "fixed" else [1.0] * b.c)[None], n, 0)


def reduced(losses, weights, b, o, channels=1):
    """`losses` is multiplied by the weights already."""
    losses = losses * (b.m if losses.ndim == 3 else b.m[:, None])
    kind = o.get("reduction", "mean")
    if kind == "none":
        return losses
    if kind == "sum":
        return losses.sum()
    if kind == "mean_images":
        return losses.sum() / len(b.z)
    valid = b.m.sum() * channels
    return losses.sum() / {"mean": max((weights * (b.m if weights.ndim == 3 else b.m[:, None])).sum(), 1e-300), "mean_valid": valid, "mean_all": valid}[kind]


def binary(kind, b, o, fixed):
    gamma = o.get("gamma", 0.0) if kind == "focal" else 0.0
    positive, negative = np.ones(b.c), np.ones(b.c)
    if o.get("weights") == "fixed":
        if b.c == 1:
            negative, positive = np.array([fixed[0]]), np.array([fixed[1]])
        else:
            positive = np.array(fixed)
            if "negatives" in o:
                negative = positive if o["negatives"] == "same" else np.full(b.c, o["negatives"])
    positive, negative = positive[:, None, None], negative[:, None, None]
    if o.get("scheme") == "complement":  # of each image, or of all
        negative = (b.y * b.m[:, None]).sum((2, 3), keepdims=True) / b.m.sum((1, 2))[:, None, None, None]
        if o["weights"] == "per_batch":
            negative = (b.y * b.m[:, None]).sum() / b.m.sum()
        positive = 1 - negative
    s = o.get("label_smoothing", 0.0)
    y = (1 - s) * b.y + s / 2
    losses = -(positive * y * (1 - b.p) ** gamma * b.ln_p + negative * (1 - y) * b.p**gamma * b.ln_q)
    if o.get("average") == "weights":
        return (losses * b.m[:, None]).sum() / ((positive * y + negative * (1 - y)) * b.m[:, None]).sum()
    return reduced(losses, np.broadcast_to(np.ones(1), losses.shape), b, o, b.c)


def pixels(kind, b, o, fixed):
    if b.sigmoid:
        return binary(kind, b, o, fixed)
    w = class_weights(b, o, fixed)
    at = np.take_along_axis(w[:, :, None, None] * np.ones_like(b.y), b.labels[:, None], 1)[:, 0]
    own = b.own(b.ln_p)
    s = o.get("label_smoothing", 0.0)
    if kind == "seesaw":
        n = np.array(o["prior"]) if "prior" in o else np.maximum(b.y.sum((0, 2, 3)), 1)
        m = np.minimum(1, n[None, :] / n[:, None]) ** o["p"]
        k = np.maximum(0, o["q"] * (b.ln_p - own[:, None]))
        z = b.z + (1 - b.y) * (np.moveaxis(np.log(m)[b.labels], -1, 1) + k)
        losses = np.log(np.exp(z).sum(1)) - b.own(z)
    elif kind == "ldam":
        n = np.array(o.get("prior", b.y.sum((0, 2, 3))))
        delta = np.where(n > 0, o["margin"] * (n[n > 0].min() / np.maximum(n, 1)) ** 0.25, o["margin"])
        z = o["scale"] * (b.z - b.y * delta[:, None, None])
        losses = np.logaddexp.reduce(z, 1) - b.own(z)
    elif kind == "focal":
        losses = (1 - np.exp(own)) ** o["gamma"] * -own
    elif kind == "poly1_cross_entropy":
        losses = -own + o["epsilon"] * (1 - np.exp(own))
    elif kind == "recall_cross_entropy":
        missed = b.z.argmax(1) != b.labels
        losses = np.zeros(own.shape)
        for image in np.arange(len(b.z))[:, None] if o.get("region") == "image" else [np.arange(len(b.z))]:
            for c in range(b.c):
                mine = np.isin(np.arange(len(b.z)), image)[:, None, None] & b.m & (b.labels == c)
                losses[mine] = -own[mine] * missed[mine].mean() if mine.any() else 0
    elif s and o.get("smoothing_weight") == "class":
        return ((-(1 - s) * own * at) - s / b.c * (w[:, :, None, None] * b.ln_p).sum(1)).sum() / at.sum()
    elif s:
        losses = -(1 - s) * own - s / b.c * b.ln_p.sum(1)
    elif b.soft:
        return reduced(-(w[:, :, None, None] * b.y * b.ln_p).sum(1), (w[:, :, None, None] * b.y).sum(1), b, o)
    else:
        losses = -own
    return reduced(losses * at, at, b, o)


def top_k(b, o, images=slice(None)):
    if o.get("region") == "image" and images == slice(None):
        return np.mean([top_k(b, o, [n]) for n in range(len(b.z))])
    losses = np.sort(-b.own(b.ln_p)[images][b.m[images]])[::-1]
    k = max(1, int(o["keep"] * losses.size))
    bound = losses[k - 1]
    if "confidence" in o:
        bound = min(bound, -np.log(o["confidence"]))
    return losses[losses >= bound].mean()


def overlap(kind, b, o, fixed):
    m = b.m[:, None]
    p, y = b.p * m, b.y * m
    axes = (2, 3) if o.get("region") == "image" else (0, 2, 3)
    total = lambda a: a.sum(axes) if axes == (2, 3) else a.sum(axes)[None]
    s = o.get("smooth", 0.0)
    above = o.get("smooth_nr", s)
    tp, sp, sy = total(np.minimum(p, y) if kind in ("jaccard_metric", "dice_semimetric") else p * y), total(p), total(y)
    if o.get("squared"):
        sp, sy = total(p**2), total(y**2)
    fp, fn = sp - tp, sy - tp
    if kind == "generalized_dice":
        n = total(y)
        if o.get("weights") == "fixed":
            w = np.broadcast_to(np.array(fixed), n.shape)
        else:
            w = np.where(n > 0, 1 / np.maximum(n, 1) ** o.get("power", 2), 0)
            if o.get("absent") == "largest_present":
                w = np.where(n > 0, w, w.max(1, keepdims=True))
        return (1 - (2 * (w * tp).sum(1) + above) / ((w * (sp + sy)).sum(1) + s)).mean()
    if kind == "mcc":
        e = o.get("smooth_counts", 0.0)
        a, f, g, d = tp + e, fp + e, fn + e, total((1 - p) * (1 - y)) + e
        losses = 1 - (a * d - f * g) / np.sqrt((a + f) * (a + g) * (d + f) * (d + g) + s)
    elif kind in ("dice", "dice_semimetric"):
        losses = 1 - (2 * tp + above) / (sp + sy + s)
        if kind == "dice_semimetric":
            losses = (fp + fn) / (2 * tp + fp + fn + s)
    elif kind in ("jaccard", "jaccard_metric"):
        losses = (fp + fn) / (tp + fp + fn + s) if kind == "jaccard_metric" else 1 - (tp + above) / (sp + sy - tp + s)
    else:
        losses = 1 - (tp + above) / (tp + o["alpha"] * fp + o["beta"] * fn + s)
        if kind == "focal_tversky":
            losses = losses ** o["gamma"]
    present = total(y) > 0
    if o.get("reduction") == "sum":
        return losses.sum()
    if o.get("weights") == "fixed":
        w = np.array(fixed) * (present if o.get("classes") == "present" else 1) * np.ones_like(losses)
        return ((losses * w).sum(1) / w.sum(1)).mean()
    if o.get("absent") == "zero":
        losses = np.where(present, losses, 0)
    if o.get("classes") == "foreground":
        losses, present = losses[:, 1:], present[:, 1:]
    if o.get("classes") == "present":
        if o.get("average") == "images":
            return np.mean([one[here].mean() for one, here in zip(losses, present)])
        return losses[present].mean()
    return losses.mean()


def lovasz(kind, b, o, fixed):
    values = []
    images = range(len(b.z)) if o.get("region") == "image" else [slice(None)]
    for image in images:
        m = b.m[image].ravel()
        of, of_class = [], []
        for c in range(o.get("classes") == "foreground", b.c):
            y = (b.y[:, c][image]).ravel()[m]
            if o.get("classes") == "present" and not y.any():
                continue
            e = np.abs(y - b.p[:, c][image].ravel()[m]) if kind == "lovasz_softmax" else 1 - b.z[:, c][image].ravel()[m] * (2 * y - 1)
            order = np.argsort(-e, kind="stable")
            e, y = np.maximum(e[order], 0), y[order]
            with np.errstate(all="ignore"):
                jaccard = 1 - (y.sum() - y.cumsum()) / (y.sum() + (1 - y).cumsum())
            of.append((e * np.diff(np.concatenate([[0], jaccard]))).sum())
            of_class.append(fixed[c] if o.get("weights") == "fixed" else 1.0)
        values.append(np.average(of, weights=of_class))
    return np.mean(values)


def one(kind, b, o, fixed):
    if kind in OVERLAPS:
        return overlap(kind, b, o, fixed)
    if kind.startswith("lovasz"):
        return lovasz(kind, b, o, fixed)
    if kind == "top_k_cross_entropy":
        return top_k(b, o)
    if kind == "unified_focal":
        d, g = o["delta"], o["gamma"]
        rare = np.arange(b.c) > 0
        a, exponent = np.where(rare, d, 1 - d)[b.labels], np.where(rare & o["asymmetric"], 0.0, g)[b.labels]
        own = b.own(b.ln_p)
        focal = (a * (1 - np.exp(own)) ** exponent * -own).mean()
        axes = (2, 3) if o.get("region") == "image" else (0, 2, 3)
        tp, fp, fn = (b.p * b.y).sum(axes), (b.p * (1 - b.y)).sum(axes), ((1 - b.p) * b.y).sum(axes)
        index = (tp + o["smooth"]) / (tp + d * fn + (1 - d) * fp + o["smooth"])
        e = np.where(~rare & o["asymmetric"], 1.0, 1 - g)
        return o["mix"] * focal + (1 - o["mix"]) * ((1 - index) ** e).mean()
    if kind == "exponential_logarithmic":
        axes = (2, 3) if o.get("region") == "image" else (0, 2, 3)
        d = (2 * (b.p * b.y).sum(axes) + o["smooth"]) / ((b.p + b.y).sum(axes) + o["smooth"])
        return o["dice_weight"] * ((-np.log(d)) ** o["gamma_dice"]).mean() + o["cross_weight"] * ((-b.own(b.ln_p)) ** o.get("gamma_cross", 1)).mean()
    if kind == "boundary":
        total = 0
        at = np.argwhere(np.ones(b.labels.shape[1:]))
        w = fixed if o.get("weights") == "fixed" else [1.0] * b.c
        far = lambda here: np.sqrt(((at[:, None] - np.argwhere(here)[None]) ** 2).sum(-1)).min(1).reshape(here.shape)
        for p, labels in zip(b.p, b.labels):
            for c in range(b.c):
                mine = labels == c
                if mine.any() and not mine.all():
                    total += w[c] * ((far(mine) - mine * (far(~mine) - 1)) * p[c]).sum()
        return total / (b.p[:, 0].size * sum(w))
    return pixels(kind, b, o, fixed)


def value(case, x, target):
    o, kinds = case.options, case.kind.split(" + ")
    if len(kinds) == 1:
        v = one(kinds[0], Batch(x, target, case, kinds[0], o), o, case.class_weights)
    else:
        terms = [one(kind, Batch(x, target, case, kind, t), t, case.class_weights) for kind, t in zip(kinds, o["terms"])]
        v = sum(f * t for f, t in zip(o.get("factors", [1.0] * len(kinds)), terms))
    return o.get("factor", 1.0) * v + o.get("offset", 0.0)


def main():
    from cases import first_right, fourth_right, second_right, third_right

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    only = parser.parse_args().only
    bad = 0
    for case in first_right.CASES + second_right.CASES + third_right.CASES + fourth_right.CASES:
        if only not in case.name:
            continue
        answers = np.load(HERE / "answers" / f"{case.name}.npz")
        off = []
        for name in BATCHES:
            if f"{name}/value" not in answers or (name == "soft" and not set(case.kind.split(" + ")) <= set(SOFT)):
                continue
            x, said = answers[f"{name}/{case.input}"], answers[f"{name}/value"]
            with np.errstate(all="ignore"):
                ours = value(case, x, answers[f"{name}/target"])
            if np.size(ours) != said.size or not np.allclose(np.reshape(ours, said.shape), said, rtol=2e-5, atol=2e-6):
                off.append(f"{name} {np.mean(said):.6g} not {np.mean(ours):.6g}")
        bad += bool(off)
        if off:
            print(f"{case.name}: {'; '.join(off)}")
    print(f"{bad} differ")


if __name__ == "__main__":
    main()
