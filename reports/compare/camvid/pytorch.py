"""The same trainings in PyTorch: does another implementation of net, loss and optimizer end where ours does?

    python reports/compare/camvid/pytorch.py plain SEED [--data runs/camvid] [--epochs 20]
    python reports/compare/camvid/pytorch.py per_sample SEED

The net of fixtures/exchange/torch_unet.py, batches of 8 with horizontal flips, AdamW with weight decay for kernels alone, one
cycle, He initialisation, the epoch of the largest validation mean IoU: as base.toml. ``per_sample`` is the arm "per-sample inverse
frequency": each image's classes weigh 1/(K·f_c), f_c their share of its valid pixels and K how many of them it has. Random numbers
are PyTorch's, so a seed here is another draw than the same seed there. Prints a line of CSV: kind, seed, version, global accuracy,
class average and mean IoU on test. With ``--state FILE`` every epoch is saved there, and the next call goes on from it.
"""

import argparse
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "fixtures" / "exchange"))
from torch_unet import UNet  # noqa: E402

CLASSES, VOID, MULTIPLE = 11, 11, 16


def load(folder):
    images, masks = [], []
    for path in sorted((folder / "images").glob("*.png")):
        images.append(np.asarray(Image.open(path).convert("RGB"), np.float32))
        masks.append(np.asarray(Image.open(folder / "masks" / path.name)).astype(np.int64))
    return np.stack(images), np.stack(masks)


def batch(images, masks, mean, deviation):
    """Normalised, channels first, continued by their mirror images to multiples of 16; the padding is void."""
    below, beside = (-size % MULTIPLE for size in images.shape[1:3])
    images = np.pad((images - mean) / deviation, ((0, 0), (0, below), (0, beside), (0, 0)), mode="symmetric")
    masks = np.pad(masks, ((0, 0), (0, below), (0, beside)), constant_values=VOID)
    return torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32).copy()), torch.from_numpy(masks.copy())


def loss_of(kind, logits, labels):
    if kind == "plain":
        return F.cross_entropy(logits, labels, ignore_index=VOID)
    counts = torch.stack([(labels == c).sum((1, 2)) for c in range(CLASSES)], 1).float()
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    present = (counts > 0).sum(1, keepdim=True)
    weights = torch.where(counts > 0, 1 / (present * shares.clamp(min=1e-12)), torch.zeros(()))
    valid = labels != VOID
    safe = labels.where(valid, 0)
    pixel = torch.gather(weights, 1, safe.flatten(1)).view_as(safe) * valid
    return (pixel * F.cross_entropy(logits, safe, reduction="none")).sum() / pixel.sum()


@torch.no_grad()
def scores(net, images, masks, mean, deviation):
    net.eval()
    matrix = torch.zeros(CLASSES, CLASSES)
    for i in range(len(images)):
        x, y = batch(images[i : i + 1], masks[i : i + 1], mean, deviation)
        found, valid = net(x).argmax(1), y != VOID
        matrix += torch.bincount(y[valid] * CLASSES + found[valid], minlength=CLASSES**2).view(CLASSES, CLASSES)
    net.train()
    hit, truth, said = matrix.diag(), matrix.sum(1), matrix.sum(0)
    here = truth > 0
    return [
        (hit.sum() / matrix.sum()).item(),
        (hit / truth)[here].mean().item(),
        (hit / (truth + said - hit))[here].mean().item(),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["plain", "per_sample"])
    parser.add_argument("seed", type=int)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("runs/camvid"))
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--state", type=pathlib.Path)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    random = np.random.default_rng(options.seed)
    (images, masks), val, test = (load(options.data / split) for split in ("train", "val", "test"))
    mean, deviation = images.mean((0, 1, 2)), images.std((0, 1, 2))

    net = UNet(3, CLASSES, width=16).to(memory_format=torch.channels_last)
    for module in net.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
    groups = [
        dict(params=[p for p in net.parameters() if p.dim() == 4], weight_decay=1e-2),
        dict(params=[p for p in net.parameters() if p.dim() != 4], weight_decay=0.0),
    ]
    optimizer = torch.optim.AdamW(groups, lr=2e-3)
    steps = -(-len(images) // 8)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=2e-3, total_steps=options.epochs * steps, pct_start=0.3, div_factor=25, final_div_factor=1e4,
        cycle_momentum=False,
    )
    best, judged, begin = -1.0, None, 0
    if options.state and options.state.exists():
        # The file is this script's own, random numbers' state and all: nothing that a plain tensor file may hold.
        saved = torch.load(options.state, weights_only=False)
        for part, state in zip((net, optimizer, schedule), saved["parts"]):
            part.load_state_dict(state)
        random.bit_generator.state = saved["random"]
        best, judged, begin = saved["best"], saved["judged"], saved["epoch"]
    for epoch in range(begin, options.epochs):
        order = random.permutation(len(images))
        for i in range(0, len(order), 8):
            chosen = order[i : i + 8]
            x, y = images[chosen].copy(), masks[chosen].copy()
            for n in np.flatnonzero(random.random(len(chosen)) < 0.5):
                x[n], y[n] = x[n, :, ::-1], y[n, :, ::-1]
            x, y = batch(x, y, mean, deviation)
            optimizer.zero_grad()
            loss_of(options.kind, net(x.to(memory_format=torch.channels_last)), y).backward()
            optimizer.step()
            schedule.step()
        found = scores(net, *val, mean, deviation)[2]
        print(f"epoch {epoch + 1}: validation mean IoU {found:.4f}", file=sys.stderr, flush=True)
        if found > best:
            best, judged = found, scores(net, *test, mean, deviation)
        if options.state:
            parts = [part.state_dict() for part in (net, optimizer, schedule)]
            beside = options.state.with_suffix(".writing")
            torch.save(dict(parts=parts, random=random.bit_generator.state, best=best, judged=judged, epoch=epoch + 1), beside)
            beside.replace(options.state)
    print(f"{options.kind},{options.seed},{torch.__version__}," + ",".join(f"{score:.6f}" for score in judged))


if __name__ == "__main__":
    main()
