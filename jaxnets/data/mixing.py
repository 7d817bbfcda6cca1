"""Examples mixed with others of their batch, and their targets alike: mixup and cutmix."""

import jax
import jax.numpy as jnp

from jaxnets.data.crops import check_images


def mixup(key: jax.Array, images: jax.Array, targets: jax.Array, *, alpha: float = 0.2) -> tuple[jax.Array, jax.Array]:
    """Average each example with another of the batch, and its target with the other's.

    Shapes: `(N, ...), (N, K) → (N, ...), (N, K)`, dtypes kept.

    Args:
        key: draws the partners and the shares.
        images: or any examples, floating point.
        targets: floating point, as `jax.nn.one_hot(labels, K)`; train on `optax.losses.softmax_cross_entropy`.
        alpha: the share of an example is drawn from Beta(alpha, alpha): near 0 hardly mixes, 1 is uniform.

    Raises:
        TypeError: images or targets are not floating point.
        ValueError: unlike numbers of examples, or `alpha` not above 0.

    Gradient: linear in images and targets. Reference: Zhang et al. (2018), https://arxiv.org/abs/1710.09412.

    >>> images, targets = jnp.eye(4).reshape(4, 2, 2, 1), jnp.eye(4)
    >>> mixed, shares = mixup(jax.random.key(0), images, targets, alpha=1.0)
    >>> bool(jnp.allclose(mixed.reshape(4, 4), shares)), shares.sum(1).round(3).tolist()
    (True, [1.0, 1.0, 1.0, 1.0])
    """
    _check("mixup", images, targets, alpha)
    share_key, partner_key = jax.random.split(key)
    share = jax.random.beta(share_key, alpha, alpha, (len(images),), jnp.float32)
    partner = jax.random.permutation(partner_key, len(images))
    return _blend(images, images[partner], share), _blend(targets, targets[partner], share)


def cutmix(key: jax.Array, images: jax.Array, targets: jax.Array, *, alpha: float = 1.0) -> tuple[jax.Array, jax.Array]:
    """Paste a rectangle of another image of the batch into each, and mix the targets by area.

    Shapes: `(N, H, W, C), (N, K) → (N, H, W, C), (N, K)`, dtypes kept. The rectangle has the image's proportions and
    a center drawn over the whole image; what lies outside is cut off, and the area that is left counts.

    Args:
        key: draws the partners, the areas and the places.
        images: of any dtype.
        targets: floating point, as `jax.nn.one_hot(labels, K)`; train on `optax.losses.softmax_cross_entropy`.
        alpha: the share of an image that it keeps is drawn from Beta(alpha, alpha): 1 is uniform.

    Raises:
        TypeError: targets are not floating point.
        ValueError: not four axes, unlike numbers of examples, or `alpha` not above 0.

    Gradient: to the pixels that are seen, and linear in the targets.
    Reference: Yun et al. (2019), https://arxiv.org/abs/1905.04899.

    >>> images, targets = jnp.stack([jnp.zeros((8, 8, 1)), jnp.ones((8, 8, 1))]), jnp.eye(2)
    >>> mixed, shares = cutmix(jax.random.key(3), images, targets)
    >>> bool(jnp.allclose(mixed.mean((1, 2, 3)), shares[:, 1]))
    True
    """
    check_images("cutmix", images)
    _check("cutmix", None, targets, alpha)
    if len(images) != len(targets):
        raise ValueError(f"cutmix: {len(images)} images, but {len(targets)} targets")
    n, height, width, _ = images.shape
    share_key, partner_key, row_key, column_key = jax.random.split(key, 4)
    side = jnp.sqrt(1 - jax.random.beta(share_key, alpha, alpha, (n,), jnp.float32))
    partner = jax.random.permutation(partner_key, n)
    rows = _span(row_key, height, side)
    columns = _span(column_key, width, side)
    pasted = rows[:, :, None] & columns[:, None, :]
    mixed = jnp.where(pasted[..., None], images[partner], images)
    return mixed, _blend(targets, targets[partner], 1 - pasted.mean((1, 2), dtype=jnp.float32))


def _span(key: jax.Array, length: int, side: jax.Array) -> jax.Array:
    """Which pixels of an axis lie within a span of `side * length` about a random center: `(N,) → (N, length)`."""
    center = jax.random.uniform(key, side.shape, maxval=float(length))
    distance = jnp.abs(jnp.arange(length, dtype=jnp.float32)[None, :] + 0.5 - center[:, None])
    return distance < (side * length / 2)[:, None]


def _blend(one: jax.Array, other: jax.Array, share: jax.Array) -> jax.Array:
    share = share.reshape(-1, *(1,) * (one.ndim - 1))
    return (share * one.astype(jnp.float32) + (1 - share) * other.astype(jnp.float32)).astype(one.dtype)


def _check(where: str, images: jax.Array | None, targets: jax.Array, alpha: float) -> None:
    if not alpha > 0:
        raise ValueError(f"{where}: alpha is {alpha}; take one above 0")
    for name, array in (("images", images), ("targets", targets)):
        if array is not None and not jnp.issubdtype(array.dtype, jnp.floating):
            raise TypeError(f"{where}: {name} are {array.dtype}, not floating point: use jax.nn.one_hot, or cast them")
    if targets.ndim < 2:
        raise ValueError(f"{where}: targets must be (N, K), not {targets.shape}: use jax.nn.one_hot(labels, K)")
    if images is not None and len(images) != len(targets):
        raise ValueError(f"{where}: {len(images)} images, but {len(targets)} targets")
