"""Spectral norm, weight norm, local response norm and channel shuffle against PyTorch's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops
from jaxnets.layers import dense, spectral_norm, weight_norm

torch = pytest.importorskip("torch", reason="torch is not installed: pip install jaxnets[parity]")
pytestmark = pytest.mark.parity

X = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)


def test_spectral_norm():
    """In training the vectors turn, then the value and the gradient follow them; in evaluation they stay."""
    torch.manual_seed(0)
    theirs = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(4, 3), n_power_iterations=2)
    norm = theirs.parametrizations.weight[0]
    state = {"u": jnp.asarray(norm._u.numpy().copy()), "v": jnp.asarray(norm._v.numpy().copy())}
    original = theirs.parametrizations.weight.original
    params = {"w": jnp.asarray(original.detach().numpy().T), "b": jnp.asarray(theirs.bias.detach().numpy())}
    layer = spectral_norm(dense(3), iterations=2)

    def loss(params):
        y, new = layer.apply(params, state, jnp.asarray(X), train=True)
        return (y**2).sum(), (y, new)

    gradients, (y, new) = jax.jit(jax.grad(loss, has_aux=True))(params)
    expected = theirs.train()(torch.from_numpy(X))
    (expected**2).sum().backward()
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradients["w"], original.grad.numpy().T, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(new["u"], norm._u.numpy(), atol=1e-6)
    np.testing.assert_allclose(new["v"], norm._v.numpy(), atol=1e-6)
    evaluated = theirs.eval()(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(layer.apply(params, new, jnp.asarray(X))[0], evaluated, rtol=1e-5, atol=1e-6)


def test_weight_norm():
    torch.manual_seed(0)
    theirs = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(4, 3))
    scale, w = (getattr(theirs.parametrizations.weight, f"original{i}") for i in (0, 1))
    scale.data *= 3
    params = {"w": w.T, "scale": scale.ravel(), "b": theirs.bias}
    params = {name: jnp.asarray(leaf.detach().numpy()) for name, leaf in params.items()}
    y, _ = weight_norm(dense(3)).apply(params, {}, jnp.asarray(X))
    np.testing.assert_allclose(y, theirs(torch.from_numpy(X)).detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [1, 4, 5])
def test_local_response_norm(size):
    x = np.random.default_rng(0).standard_normal((2, 3, 7)).astype(np.float32)
    theirs = torch.nn.LocalResponseNorm(size, alpha=0.5, beta=0.6, k=2.0)(torch.from_numpy(x).mT).mT
    ours = ops.local_response_norm(jnp.asarray(x), size, alpha=0.5, beta=0.6, k=2.0)
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-5, atol=1e-6)


def test_channel_shuffle():
    x = np.arange(24.0, dtype=np.float32).reshape(2, 2, 6)
    theirs = torch.nn.ChannelShuffle(3)(torch.from_numpy(x).mT[..., None])[..., 0].mT
    np.testing.assert_array_equal(ops.channel_shuffle(jnp.asarray(x), 3), theirs.numpy())
