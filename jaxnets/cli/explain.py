"""`jaxnets explain MODEL`."""

from typing import Literal

from jaxnets.cli.program import Dtype, of_model
from jaxnets.explain import explain as explained


def explain(
    model: str,
    /,
    *,
    batch: int = 8,
    size: int = 224,
    channels: int = 3,
    train: bool = False,
    dtype: Dtype = "float32",
    platform: Literal["cpu", "cuda", "rocm", "tpu"] | None = None,
) -> None:
    """Print what computes each convolution and pool of a model, why, and how fast it could be.

    Nothing is computed: the network is only traced, and this machine's peaks measured in a moment.

    Args:
        model: its name, as lenet.
        batch: images.
        size: height and width of an image.
        channels: of an image.
        train: the gradients of a training step too.
        dtype: to compute in.
        platform: what XLA is to compile for; by default this machine's.
    """
    fn, args = of_model(model, batch, size, channels, dtype, train)
    print(explained(fn, *args, platform=platform))
