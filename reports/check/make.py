"""Asks every case with the probe of `segloss check`, and takes one capture of each.

    python make.py [--only TEXT] [--part PART]    writes answers/, captures/, cases.csv and versions.txt
                                                  --only: cases with TEXT in their name; --part: first, second, third or fourth

Needs what the cases use: torch, tensorflow, keras, jax, optax, monai, segmentation_models_pytorch, kornia, nnunetv2.
"""
import argparse
import csv
import importlib
import io
import json
import os
import subprocess
import sys
import tempfile
import types
import warnings
import zipfile
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROBE = HERE.parents[1] / "crates/segloss-verify/src/identify/probe"
FRAMEWORKS = ["torch", "keras", "jax", "numpy"]
IMPORTS = {
    "torch": "import torch\n",
    "keras": "import tensorflow as tf\n",
    "jax": 'import jax\nimport jax.numpy as jnp\n\njax.config.update("jax_enable_x64", True)\n',
    "numpy": "",
}
PACKAGES = ["numpy", "scipy", "torch", "torchvision", "tensorflow_cpu", "keras", "jax", "jaxlib", "optax", "monai",
            "segmentation_models_pytorch", "kornia", "nnunetv2"]
PARTS = ["first", "second", "third", "fourth"]
COLUMNS = ["case", "truth", "kind", "options", "cause", "dialect", "framework", "classes", "layout", "input", "ignored", "shows", "expect",
           "source", "gradcheck", "problem", "part"]

sys.path.insert(0, str(HERE))


def cases():
    modules = [importlib.import_module(f"cases.{part}_{truth}") for part in PARTS for truth in ("right", "wrong")]
    every = [case for module in modules for case in module.CASES]
    assert len({case.name for case in every}) == len(every), "two cases of one name"
    return every


def script(case):
    """The probe, as `segloss check` would write it."""
    text = "".join((PROBE / f"{piece}.py").read_text() for piece in ("head", "batches", case.framework, "tail"))
    words = {"MODULE": "losses", "FUNCTION": "loss", "FRAMEWORK": case.framework, "CLASSES": str(case.classes), "LAYOUT": case.layout,
             "INPUT": case.input, "IGNORED": str(case.ignored), "FORMS": json.dumps(list(case.forms)), "ORDER": case.order,
             "IMPORTS": IMPORTS[case.framework]}
    for word, value in words.items():
        text = text.replace("{" + word + "}", value)
    return text


def ask(case, loss):
    """Runs the probe; what kept it from ending, or nothing. The function's own name stays out of the answers."""
    module = types.ModuleType("losses")
    module.loss = loss
    sys.modules["losses"] = module
    where = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            exec(compile(script(case), "probe.py", "exec"), {"__name__": "__main__"})
        except SystemExit as end:
            return str(end)
        finally:
            os.chdir(where)
        packed(Path(folder, "answers.npz"), HERE / "answers" / f"{case.name}.npz")
    return ""


def packed(npz, path):
    """The same arrays in less space: as hard as deflate can, and without what only files above 4 GiB need."""
    with zipfile.ZipFile(npz) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), old.read(name), zipfile.ZIP_DEFLATED, 9)


def batch(case):
    """Labels of blobs or strips, each class rarer than the one before it, and logits that lean towards them."""
    import numpy as np

    random = np.random.default_rng(zlib.crc32(case.name.encode()))
    n, size, classes = case.images, 16, max(case.classes, 2)
    y = np.zeros((n, size, size), int)
    rows, columns = np.mgrid[:size, :size]
    for c in range(1, classes):
        for image in range(n):
            if (c + image) % 2:
                at, radius = random.integers(3, size - 3, 2), 4.5 / c**0.7
                y[image][(rows - at[0]) ** 2 + (columns - at[1]) ** 2 < radius**2] = c
            else:
                at = random.integers(0, size - 2)
                y[image][:, at : at + max(1, 3 - c)] = c
    for image in y:  # none painted over altogether
        for c in range(classes):
            if not (image == c).any():
                image[random.integers(size), random.integers(size)] = c
    shape = (n, case.classes, size, size)
    truth = y[:, None] == np.arange(case.classes)[:, None, None] if case.classes > 1 else y[:, None] == 1
    z = (1.5 * random.standard_normal(shape) + (truth if case.classes > 1 else 2 * truth - 1)).astype(np.float32)
    if case.ignored is not None:
        y = np.where(random.random(y.shape) < 0.1, case.ignored, y)
    return z, y


def arranged(case, array):
    import numpy as np

    return np.ascontiguousarray(np.moveaxis(array, 1, -1) if case.layout == "channels_last" else array)


def capture_arrays(case):
    import numpy as np

    z, y = batch(case)
    if case.input == "probabilities":
        if case.classes == 1:
            z = 1 / (1 + np.exp(-z))
        else:
            e = np.exp(z - z.max(1, keepdims=True))
            z = e / e.sum(1, keepdims=True)
    return arranged(case, z.astype(np.float32)), targets(case, y)


def targets(case, y):
    """The target in each form that the function may take, floating or integer as it must be."""
    import numpy as np

    scale = 255 if case.capture_target == "255" else 1
    for form in case.forms:
        if form == "indices":
            yield scale * y.astype(np.int64)
        elif form == "channel":
            yield scale * arranged(case, y[:, None]).astype(np.int64)
        elif case.classes == 1:
            yield scale * arranged(case, y[:, None]).astype(np.float32)
        else:
            yield scale * arranged(case, (y[:, None] == np.arange(case.classes)[:, None, None])).astype(np.float32)


def evaluated(case, loss, z, y):
    """Value and gradient, float32 as in a training."""
    import numpy as np

    ordered = (lambda z, y: loss(z, y)) if case.order == "prediction, target" else (lambda z, y: loss(y, z))
    if case.framework == "torch":
        import torch

        z = torch.tensor(z, requires_grad=True)
        value = ordered(z, torch.tensor(y))
        value = torch.as_tensor(value[0] if isinstance(value, (tuple, list)) else value)
        if value.requires_grad:
            value.sum().backward()
        return value.detach().numpy(), None if z.grad is None else z.grad.numpy()
    if case.framework == "keras":
        import tensorflow as tf

        z = tf.Variable(z)
        with tf.GradientTape() as tape:
            value = tf.convert_to_tensor(ordered(z, tf.constant(y)))
        gradient = tape.gradient(value, z)
        return value.numpy(), None if gradient is None else gradient.numpy()
    if case.framework == "jax":
        import jax
        import jax.numpy as jnp

        z, y = jnp.asarray(z, jnp.float32), jnp.asarray(y, jnp.float32 if y.dtype == np.float32 else jnp.int32)
        return np.asarray(ordered(z, y)), np.asarray(jax.grad(lambda z: ordered(z, y).sum())(z))
    return np.asarray(ordered(z, y)), None


def capture(case, loss):
    import numpy as np

    z, forms = capture_arrays(case)
    problems = []
    for y in forms:
        try:
            value, gradient = evaluated(case, loss, z, y)
        except Exception as error:
            problems.append(f"{type(error).__name__}: {error}")
            continue
        about = f"framework = '{case.framework}'\nlayout = '{case.layout}'\nclasses = {case.classes}\n"
        about += "" if case.ignored is None else f"ignore_index = {case.ignored}\n"
        arrays = {case.input: z, "target": y, "value": value, "about": np.frombuffer(about.encode(), np.uint8)}
        if gradient is not None:
            arrays["gradient"] = gradient
        if case.class_weights:
            arrays["class_weights"] = np.array(case.class_weights, np.float32)
        npz = io.BytesIO()
        np.savez(npz, **arrays)
        packed(npz, HERE / "captures" / f"{case.name}.npz")
        return ""
    return "; ".join(problems)


def gradcheck(case, loss):
    """What torch.autograd.gradcheck says of it on a small random batch."""
    import numpy as np
    import torch

    random = np.random.default_rng(7)
    z = random.standard_normal((2, case.classes, 4, 4))
    y = random.integers(0, max(case.classes, 2), (2, 4, 4))
    if case.input == "probabilities":
        z = 1 / (1 + np.exp(-z)) if case.classes == 1 else np.exp(z) / np.exp(z).sum(1, keepdims=True)
    said = "error"
    for y in targets(case, y):
        y = torch.tensor(y).double() if y.dtype == np.float32 else torch.tensor(y)
        try:
            x = torch.tensor(z, requires_grad=True)
            return "pass" if torch.autograd.gradcheck(lambda x: loss(x, y), (x,), raise_exception=False) else "fail"
        except Exception:
            said = "error"
    return said


def work(framework, only, of_part):
    """All cases of a framework, in this process; a row each, as JSON."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")
    warnings.simplefilter("ignore")
    if framework == "torch":
        import torch

        torch.set_num_threads(1)
    if framework == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)
    for case in cases():
        if case.framework != framework or only not in case.name or of_part not in ("", case.part):
            continue
        for kind in ("answers", "captures"):
            (HERE / kind / f"{case.name}.npz").unlink(missing_ok=True)
        sys.stdout, out = io.StringIO(), sys.stdout
        try:
            loss = case.make()
            problems = {"answers": ask(case, loss), "capture": capture(case, loss)}
            checked = gradcheck(case, loss) if framework == "torch" else ""
        except Exception as error:
            problems, checked = {"case": f"{type(error).__name__}: {error}"}, ""
        finally:
            sys.stdout = out
        problem = "; ".join(f"{key}: {value}" for key, value in problems.items() if value)
        row = dict(case=case.name, truth=case.truth, kind=case.kind, options=json.dumps(case.options), cause=case.cause,
                   dialect=case.dialect, framework=case.framework, classes=case.classes, layout=case.layout, input=case.input,
                   ignored="" if case.ignored is None else case.ignored, shows=case.shows, expect=case.expect,
                   source=case.source, gradcheck=checked, problem=problem.replace("\n", " ")[:300], part=case.part)
        print(json.dumps(row), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--part", default="", choices=PARTS)
    parser.add_argument("--framework", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.framework:
        return work(arguments.framework, arguments.only, arguments.part)
    from importlib.metadata import version

    for folder in ("answers", "captures"):
        (HERE / folder).mkdir(exist_ok=True)
    table = HERE / "cases.csv"
    parts = {case.name: case.part for case in cases()}
    names = list(parts)
    rows = {}
    if table.exists():
        with open(table, newline="") as file:
            rows = {row["case"]: row | {"part": parts[row["case"]]} for row in csv.DictReader(file) if row["case"] in names}
    for folder in ("answers", "captures"):
        for file in (HERE / folder).glob("*.npz"):
            if file.stem not in names:
                file.unlink()
    for framework in FRAMEWORKS:
        command = [sys.executable, __file__, "--framework", framework, "--only", arguments.only]
        command += ["--part", arguments.part] if arguments.part else []
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"{framework}: {done.stderr[-2000:]}", file=sys.stderr)
        for line in done.stdout.splitlines():
            row = json.loads(line)
            rows[row["case"]] = row
            if row["problem"]:
                print(f"{row['case']}: {row['problem']}", file=sys.stderr)
    with open(table, "w", newline="") as file:
        out = csv.DictWriter(file, COLUMNS, lineterminator="\n", extrasaction="ignore")
        out.writeheader()
        out.writerows(rows[name] for name in names if name in rows)
    lines = [f"python {sys.version.split()[0]}"] + [f"{package} {version(package)}" for package in PACKAGES]
    (HERE / "versions.txt").write_text("\n".join(lines) + "\n")
    size = sum(file.stat().st_size for folder in ("answers", "captures") for file in (HERE / folder).glob("*.npz"))
    print(f"{len(rows)} cases, {size / 2**20:.2f} MiB of answers and captures")


if __name__ == "__main__":
    main()
