"""Recurrent layers against PyTorch's, with its weights: several layers, both directions, padding, every gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import serial, tree
from jaxnets.layers import bidirectional, gru, lstm, rnn

torch = pytest.importorskip("torch", reason="torch is not installed: pip install jaxnets[parity]")
pytestmark = pytest.mark.parity

LAYERS = {"LSTM": lstm, "GRU": gru, "RNN": rnn}
LENGTHS = [5, 2, 4]
X = np.random.default_rng(0).standard_normal((3, 5, 4)).astype(np.float32)


def ours(path):
    """PyTorch's name and whether it is transposed: `0/backward/u` is weight_hh_l0_reverse."""
    parts = path.split("/")
    leaf = {"w": "weight_ih", "u": "weight_hh", "b": "bias_ih", "b_hidden": "bias_hh"}[parts[-1]]
    return f"{leaf}_l{parts[0]}" + "_reverse" * ("backward" in parts)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_values_and_gradients(name, both):
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(4, 3, num_layers=2, bidirectional=both, batch_first=True)
    layer = LAYERS[name](3)
    model = serial(*(bidirectional(layer) if both else layer for _ in range(2)))
    params, state = model.init(jax.random.key(0), X)
    flat = tree.flatten(params)
    weights = dict(theirs.named_parameters())
    assert {ours(path) for path in flat} == set(weights)
    params = tree.unflatten({path: jnp.asarray(weights[ours(path)].detach().numpy().T) for path in flat})

    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.from_numpy(X), torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False
    )
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)
    dy = np.random.default_rng(1).standard_normal(tuple(expected.shape)).astype(np.float32)
    expected.backward(torch.from_numpy(dy))

    def loss(params):
        y = model.apply(params, state, {"x": jnp.asarray(X), "lengths": jnp.array(LENGTHS)})[0]["x"]
        return (y * dy).sum(), y

    gradients, y = jax.jit(jax.grad(loss, has_aux=True))(params)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    for path, gradient in tree.flatten(gradients).items():
        np.testing.assert_allclose(gradient, weights[ours(path)].grad.numpy().T, rtol=1e-4, atol=1e-5, err_msg=path)
