"""Makes a third of every image and mask: python prepare.py FROM TO (both hold {train,val,test}/{images,masks}); needs Pillow.

Images are averaged over 3 × 3 pixels, of masks the pixel in the middle is taken, so that no label is invented.
"""

import sys
from pathlib import Path

from PIL import Image

source, target = map(Path, sys.argv[1:])
for split in ["train", "val", "test"]:
    for kind in ["images", "masks"]:
        folder = target / split / kind
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted((source / split / kind).iterdir()):
            image = Image.open(path)
            width, height = (side // 3 for side in image.size)
            image = image.crop((0, 0, 3 * width, 3 * height))
            small = image.resize((width, height), Image.Resampling.BOX if kind == "images" else Image.Resampling.NEAREST)
            small.save(folder / f"{path.stem}.png")
