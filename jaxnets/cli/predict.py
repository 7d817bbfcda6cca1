"""`jaxnets predict IMAGE`."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import data, models, train
from jaxnets.extras import require

BAR = 32  # characters of a probability of 1
SHADES = " ░▒▓█"


def predict(image: Path, more: tuple[Path, ...] = (), /, *, checkpoint: Path = Path("runs/digits")) -> None:
    """Say which digit each image shows, and how sure the network is.

    Any picture of one character will do: a photograph, a scan, a drawing, dark on light or light on dark.

    Args:
        image: an image file.
        more: further image files.
        checkpoint: what to read them with: a file that training wrote, or the folder it is in.
    """
    images = (image, *more)
    require("rich")
    loaded = train.checkpoint.load(checkpoint)
    try:
        class_names = [str(name) for name in loaded.extra["class_names"]]
        height, width = loaded.extra["image_size"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{checkpoint} does not say which classes it knows: it is no classifier of images") from error
    model = models.create(loaded.model, **loaded.config)
    expected = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, height, width, 1)))
    train.checkpoint.check(loaded, *expected)

    pictures = np.concatenate([data.read_image(path, (height, width)) for path in images])
    logits, _ = jax.jit(model.apply)(loaded.params, loaded.state, pictures)
    probabilities = np.asarray(jax.nn.softmax(logits.astype(jnp.float32)))
    for path, picture, row in zip(images, pictures, probabilities, strict=True):
        _show(path, picture[..., 0], row, class_names)


def _show(path: Path, picture: np.ndarray, probabilities: np.ndarray, class_names: list[str]) -> None:
    """Print the answer, then what the network saw beside a bar for each class."""
    table: Any = require("rich.table")
    best = int(probabilities.argmax())
    bars = table.Table.grid(padding=(0, 1))
    for i, (name, probability) in enumerate(zip(class_names, probabilities, strict=True)):
        bar = "█" * round(BAR * float(probability)) or "▏"
        bars.add_row(name, bar.ljust(BAR), f"{probability:6.1%}", style="bold green" if i == best else "")
    shades = (picture.clip(0, 1) * (len(SHADES) - 1)).round().astype(int)
    seen = "\n".join("".join(2 * SHADES[shade] for shade in row) for row in shades)
    both = table.Table.grid(padding=(0, 4))
    both.add_row(seen, bars)
    console = require("rich.console").Console(highlight=False)
    answer = f"{path}: {class_names[best]} ({probabilities[best]:.1%})"
    console.print(answer, style="bold", markup=False, soft_wrap=True)
    console.print(both)
