"""Attention and transformer blocks against PyTorch's, weights and masks given to both."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.layers import attention, transformer_block

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

N, T, D, HEADS = 2, 5, 8, 2
X = np.random.default_rng(0).standard_normal((N, T, D)).astype(np.float32)
MASK = np.array([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]], bool)


def randomised(module):
    torch.manual_seed(0)
    with torch.no_grad():
        for p in module.parameters():
            p.normal_(0, 0.4)
    return module.eval()


def matrix(module):
    return {"w": jnp.asarray(module.weight.detach().numpy().T), "b": jnp.asarray(module.bias.detach().numpy())}


def heads(module):
    ws, bs = (np.split(p.detach().numpy(), 3) for p in (module.in_proj_weight, module.in_proj_bias))
    maps = {name: {"w": jnp.asarray(w.T), "b": jnp.asarray(b)} for name, w, b in zip("qkv", ws, bs, strict=True)}
    return maps | {"out": matrix(module.out_proj)}


def norm(module):
    return {"scale": jnp.asarray(module.weight.detach().numpy()), "shift": jnp.asarray(module.bias.detach().numpy())}


@pytest.mark.parametrize("causal", [False, True])
def test_attention_and_its_gradients(causal):
    theirs = randomised(torch.nn.MultiheadAttention(D, HEADS, batch_first=True))
    params, layer = heads(theirs), attention(HEADS, causal=causal)
    tx = torch.tensor(X, requires_grad=True)
    options = {"key_padding_mask": torch.tensor(~MASK), "need_weights": False}
    if causal:
        options["attn_mask"] = torch.triu(torch.ones(T, T, dtype=torch.bool), 1)
    ty, _ = theirs(tx, tx, tx, **options)
    (ty * ty).sum().backward()

    def loss(params, x):
        y = layer.apply(params, {}, {"x": x, "mask": jnp.asarray(MASK)})[0]["x"]
        return jnp.sum(y * y), y

    (dparams, dx), y = jax.jit(jax.grad(loss, (0, 1), has_aux=True))(params, jnp.asarray(X))
    np.testing.assert_allclose(y, ty.detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(dx, tx.grad.numpy(), rtol=1e-4, atol=1e-4)
    for i, name in enumerate("qkv"):
        np.testing.assert_allclose(dparams[name]["w"].T, np.split(theirs.in_proj_weight.grad, 3)[i], 1e-3, 1e-3)


@pytest.mark.parametrize("norm_first", [True, False])
def test_transformer_block(norm_first):
    theirs = torch.nn.TransformerEncoderLayer(D, HEADS, 12, activation="gelu", batch_first=True, norm_first=norm_first)
    theirs = randomised(theirs)
    norms = [norm(theirs.norm1), norm(theirs.norm2)]
    params = {
        "attention": {"heads": heads(theirs.self_attn)},
        "mlp": {"expand": matrix(theirs.linear1), "project": matrix(theirs.linear2)},
    }
    if norm_first:
        params["attention"]["norm"], params["mlp"]["norm"] = norms
    else:
        params |= {"norm1": norms[0], "norm2": norms[1]}
    layer = transformer_block(HEADS, ratio=1.5, norm_first=norm_first)
    y, _ = jax.jit(layer.apply)(params, {}, {"x": X, "mask": jnp.asarray(MASK)})
    with torch.no_grad():
        ty = theirs(torch.tensor(X), src_key_padding_mask=torch.tensor(~MASK)).numpy()
    # theirs may leave out the tokens that are not there, which nobody looks at
    np.testing.assert_allclose(np.asarray(y["x"])[MASK], ty[MASK], rtol=1e-4, atol=2e-5)
