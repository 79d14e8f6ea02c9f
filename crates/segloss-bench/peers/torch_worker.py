"""Losses and a U-Net step of PyTorch, computed on request, for `cargo xtask bench-report --peers`.

    $ python torch_worker.py [--compile]
    time cross_entropy+fixed/channels_last/f32/4x12x360x480 5     → five durations in nanoseconds
    value cross_entropy+fixed/channels_last/f32/1x4x64x64         → the loss
    time lovasz_softmax/channels_first/f32/1x12x360x480 5         so, too: combined (with Dice), focal, tversky
    time unet/forward_backward/channels_last 5                    batch 4, 3x128x128, base 16, depth 4
    version                                                       → what computes

Names, logits, labels and weights are those of segloss's own workloads (crates/segloss/benches/workload), so that
values can be compared. Layouts are memory formats: `channels_first` is contiguous, `channels_last` torch.channels_last.
An answer is one line, an error one that begins with `error:`. PyTorch uses as many threads as there are cores.
"""

import os
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

IGNORED = 255


def wrapped(number):
    """An unsigned 64-bit constant as the signed number of the same bits."""
    return number - (1 << 64) if number >= 1 << 63 else number


def shifted(z, bits):
    """A logical shift to the right: torch's own fills with the sign."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def noise(at):
    """splitmix64, as in workload/draw.rs; multiplication wraps."""
    z = (at + 1) * wrapped(0x9E3779B97F4A7C15)
    z = (z ^ shifted(z, 30)) * wrapped(0xBF58476D1CE4E5B9)
    z = (z ^ shifted(z, 27)) * wrapped(0x94D049BB133111EB)
    return z ^ shifted(z, 31)


def drawn_logits(count):
    at = 4 * torch.arange(count)
    total = sum(shifted(noise(at + k), 40) for k in range(4))
    return ((total.double() / (1 << 24) - 2.0) * 2.0).float()


def drawn_labels(images, classes, height, width):
    image = torch.arange(images).view(-1, 1, 1)
    block = 12 if width < 144 else 36
    y = (torch.arange(height) // block).view(1, -1, 1)
    x = (torch.arange(width) // block).view(1, 1, -1)
    draw = noise((image << 40) | (y << 20) | x)
    # The number of zeros at the end, as far as there are classes.
    zeros = sum(((draw & ((1 << k) - 1)) == 0).long() for k in range(1, max(classes, 2)))
    return torch.where((x + y) % 8 == 1, IGNORED, zeros).contiguous()


def weighted_cross_entropy(logits, labels, weights):
    return F.cross_entropy(logits, labels, weight=weights, ignore_index=IGNORED)


def overlap(logits, labels):
    """TP, FP and FN of each class, of the pixels that count."""
    valid = labels != IGNORED
    classes = logits.shape[1]
    hot = F.one_hot(labels.masked_fill(~valid, 0), classes).movedim(-1, 1).to(logits.dtype)
    hot = hot * valid.unsqueeze(1)
    p = logits.softmax(1) * valid.unsqueeze(1)
    over = (0, 2, 3)
    hits = (p * hot).sum(over)
    return hits, p.sum(over) - hits, hot.sum(over) - hits


def cross_entropy_and_dice(logits, labels, weights, smooth=1e-5):
    hits, false, missed = overlap(logits, labels)
    dice = (2 * hits + smooth) / (2 * hits + false + missed + smooth)
    return F.cross_entropy(logits, labels, ignore_index=IGNORED) + (1 - dice).mean()


def focal(logits, labels, weights, gamma=2.0):
    surprise = F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="none")
    loss = (1 - torch.exp(-surprise)) ** gamma * surprise
    return loss.sum() / (labels != IGNORED).sum()


def tversky(logits, labels, weights, alpha=0.3, beta=0.7, smooth=1e-5):
    hits, false, missed = overlap(logits, labels)
    return (1 - (hits + smooth) / (hits + alpha * false + beta * missed + smooth)).mean()


def lovasz_softmax(logits, labels, weights):
    """As Berman et al. published it (bermanmaxim/LovaszSoftmax, pytorch/): the same operations, told again."""
    classes = logits.shape[1]
    valid = labels.reshape(-1) != IGNORED
    p = logits.softmax(1).permute(0, 2, 3, 1).reshape(-1, classes)[valid]
    label = labels.reshape(-1)[valid]
    losses = []
    for class_ in range(classes):
        foreground = (label == class_).float()
        if foreground.sum() == 0:
            continue
        errors, order = torch.sort((foreground - p[:, class_]).abs(), 0, descending=True)
        hit = foreground[order]
        total = hit.sum()
        jaccard = 1.0 - (total - hit.cumsum(0)) / (total + (1 - hit).cumsum(0))
        jaccard[1:] = jaccard[1:] - jaccard[:-1]
        losses.append(torch.dot(errors, jaccard))
    return torch.stack(losses).mean()


# By the names of segloss' workloads, with the options that its kinds have by default.
LOSSES = {
    "cross_entropy+fixed": weighted_cross_entropy,
    "combined": cross_entropy_and_dice,
    "focal": focal,
    "tversky": tversky,
    "lovasz_softmax": lovasz_softmax,
}


class Loss:
    def __init__(self, what, layout, real, shape, compiled):
        if real != "f32":
            raise ValueError(f"{real}: only f32 is compared")
        images, classes, height, width = shape
        logits = drawn_logits(images * classes * height * width)
        if layout == "channels_first":
            logits = logits.view(images, classes, height, width)
        elif layout == "channels_last":
            # What memory_format=torch.channels_last means.
            logits = logits.view(images, height, width, classes).permute(0, 3, 1, 2)
        else:
            raise ValueError(f"{layout}: neither channels_first nor channels_last")
        self.logits = logits.requires_grad_(True)
        self.labels = drawn_labels(images, classes, height, width)
        self.weights = torch.tensor([class_ % 3 + 0.5 for class_ in range(classes)])
        # Compiled for this shape, as a training step of fixed size is.
        loss = LOSSES[what]
        self.loss = torch.compile(loss, dynamic=False) if compiled else loss

    def call(self):
        # What the last call left is freed before the clock starts.
        self.logits.grad = None
        start = time.perf_counter_ns()
        loss = self.loss(self.logits, self.labels, self.weights)
        loss.backward()
        took = time.perf_counter_ns() - start
        return took, loss.item()


class UNet(nn.Module):
    """2 157 040 weights: no norm, no bias, nearest up-sampling and a 3x3 convolution after it."""

    def __init__(self, base=16, depth=4, inputs=3, classes=4):
        super().__init__()

        def conv(before, after, size=3):
            return nn.Conv2d(before, after, size, padding=size // 2, bias=False)

        channels = [base << level for level in range(depth + 1)]
        self.encoder = nn.ModuleList()
        before = inputs
        for after in channels:
            self.encoder.append(nn.ModuleList([conv(before, after), conv(after, after)]))
            before = after
        levels = list(reversed(range(depth)))
        self.up = nn.ModuleList([conv(channels[level + 1], channels[level]) for level in levels])
        self.decoder = nn.ModuleList(
            [
                nn.ModuleList([conv(2 * channels[level], channels[level]), conv(channels[level], channels[level])])
                for level in levels
            ]
        )
        self.head = conv(base, classes, 1)

    def forward(self, x):
        skips = []
        for level, (first, second) in enumerate(self.encoder):
            if level:
                x = F.max_pool2d(x, 2)
            x = F.relu(second(F.relu(first(x))))
            skips.append(x)
        skips.pop()
        for up, (first, second) in zip(self.up, self.decoder):
            x = up(F.interpolate(x, scale_factor=2, mode="nearest"))
            x = torch.cat([skips.pop(), x], 1)
            x = F.relu(second(F.relu(first(x))))
        return self.head(x)


class UNetStep:
    def __init__(self, step, layout, compiled):
        formats = {"channels_first": torch.contiguous_format, "channels_last": torch.channels_last}
        if step not in ("forward", "forward_backward") or layout not in formats:
            raise ValueError(f"unet/{step}/{layout}: not unet/STEP/LAYOUT")
        self.step = step
        self.net = UNet().to(memory_format=formats[layout])
        self.image = torch.randn(4, 3, 128, 128).to(memory_format=formats[layout])
        self.apply = torch.compile(self.net, dynamic=False) if compiled else self.net

    def call(self):
        self.net.zero_grad()
        start = time.perf_counter_ns()
        if self.step == "forward":
            with torch.no_grad():
                output = self.apply(self.image)
            took = time.perf_counter_ns() - start
            return took, output.square().mean().item()
        loss = self.apply(self.image).square().mean()
        loss.backward()
        return time.perf_counter_ns() - start, loss.item()


# As many as a comparison asks for in turn: a workload that is compiled anew would take seconds.
KEPT = 4


class Worker:
    def __init__(self, compiled):
        self.compiled = compiled
        self.kept = {}

    def get(self, name):
        if name in self.kept:
            return self.kept[name]
        parts = name.split("/")
        if parts[0] in LOSSES and len(parts) == 4:
            shape = [int(size) for size in parts[3].split("x")]
            made = Loss(parts[0], parts[1], parts[2], shape, self.compiled)
        elif parts[0] == "unet" and len(parts) == 3:
            made = UNetStep(parts[1], parts[2], self.compiled)
        else:
            losses = ", ".join(LOSSES)
            raise ValueError(f"{name}: neither LOSS/LAYOUT/f32/NxCxHxW of {losses} nor unet/STEP/LAYOUT")
        while len(self.kept) >= KEPT:
            del self.kept[next(iter(self.kept))]
        self.kept[name] = made
        return made

    def answer(self, request):
        words = request.split()
        if words[:1] == ["time"] and len(words) == 3:
            workload = self.get(words[1])
            return " ".join(str(workload.call()[0]) for _ in range(int(words[2])))
        if words[:1] == ["value"] and len(words) == 2:
            return repr(self.get(words[1]).call()[1])
        if words == ["version"]:
            return torch.__version__
        raise ValueError(f"{request}: not `time NAME CALLS`, `value NAME` or `version`")


def main():
    if sys.argv[1:] not in ([], ["--compile"]):
        sys.exit("error: [--compile]")
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    torch.manual_seed(0)
    worker = Worker(compiled=sys.argv[1:] == ["--compile"])
    for request in sys.stdin:
        try:
            answer = worker.answer(request)
        except Exception as error:  # Whatever it is, it is the answer: the asker decides.
            answer = "error: " + " ".join(f"{type(error).__name__}: {error}".split())
        print(answer, flush=True)


if __name__ == "__main__":
    main()
