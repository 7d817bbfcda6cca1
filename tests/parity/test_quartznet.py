"""QuartzNet against the same network written in PyTorch after `JasperBlock` of NeMo, which is heavy to install."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity.oracles import TOLERANCE, arrays, randomise, relative, torch

from jaxnets import models, tree
from jaxnets.models.mapping import Rule, links

pytestmark = pytest.mark.parity
GROUPS, STEM, HEAD, REPEATS = [(6, 5), (8, 3)], (4, 3), [(8, 5, 2), (10, 1, 1)], 2


def conv(before, channels, size, stride=1, dilation=1, relu=True):
    nn, padding = torch.nn, dilation * (size - 1) // 2
    parts = {}
    if size > 1:
        parts["depthwise"] = nn.Conv1d(before, before, size, stride, padding, dilation, groups=before, bias=False)
    parts["pointwise"] = nn.Conv1d(before, channels, 1, bias=False)
    parts["norm"] = nn.BatchNorm1d(channels, eps=1e-3, momentum=0.1)
    layers = nn.Sequential()
    for name, part in parts.items():
        layers.add_module(name, part)
    if relu:
        layers.add_module("relu", nn.ReLU())
    return layers


class Block(torch.nn.Module):
    def __init__(self, before, channels, size):
        super().__init__()
        rows = [conv(before if i == 0 else channels, channels, size, relu=i < REPEATS - 1) for i in range(REPEATS)]
        self.main, self.skip = torch.nn.Sequential(*rows), torch.nn.Sequential()
        self.skip.add_module("conv", torch.nn.Conv1d(before, channels, 1, bias=False))
        self.skip.add_module("norm", torch.nn.BatchNorm1d(channels, eps=1e-3, momentum=0.1))

    def forward(self, x):
        return torch.relu(self.main(x) + self.skip(x))


def theirs(features, classes):
    net = torch.nn.Sequential()
    net.add_module("stem", conv(features, *STEM, stride=2))
    before = STEM[0]
    for i, (channels, size) in enumerate(GROUPS, start=1):
        net.add_module(f"group{i}", torch.nn.Sequential(Block(before, channels, size), Block(channels, channels, size)))
        before = channels
    rows = []
    for channels, size, dilation in HEAD:
        rows.append(conv(before, channels, size, dilation=dilation))
        before = channels
    net.add_module("head", torch.nn.Sequential(*rows))
    net.add_module("logits", torch.nn.Conv1d(before, classes, 1))
    return net


RULES = [
    Rule("stem/{part}", "stem.{part}"),
    Rule("group{g}/{j}/main/{i}/{part}", "group{g}.{j}.main.{i}.{part}"),
    Rule("group{g}/{j}/skip/{part}", "group{g}.{j}.skip.{part}"),
    Rule("head/{i}/{part}", "head.{i}.{part}"),
    Rule("classifier/logits", "logits"),
]


def converted(tensors, shapes):
    leaves = {}
    for link in links(RULES, shapes):
        leaves |= dict(zip(link.leaves, link.to_ours(*(tensors[name] for name in link.tensors)), strict=True))
    return leaves


@pytest.mark.parametrize("steps", [20, 21])
def test_evaluation_and_training(steps):
    net = randomise(theirs(7, 5))
    model = models.quartznet5x5(5, groups=GROUPS, blocks=2, repeats=REPEATS, stem=STEM, head=HEAD)
    x = np.random.default_rng(0).standard_normal((3, steps, 7)).astype(np.float32)
    shapes = [tree.flatten(t) for t in jax.eval_shape(model.init, jax.random.key(0), x)]
    every = {path: leaf.shape for part in shapes for path, leaf in part.items()}
    leaves = converted(arrays(net.state_dict()), every)
    params, state = (tree.unflatten({path: jnp.asarray(leaves[path]) for path in part}) for part in shapes)
    first = torch.from_numpy(x).mT
    y, _ = jax.jit(model.apply)(params, state, x)
    assert relative(y, net(first).mT.detach().numpy()) < TOLERANCE
    net.train()
    expected = net(first).mT.detach().numpy()
    y, new = jax.jit(lambda p, s: model.apply(p, s, x, train=True))(params, state)
    assert relative(y, expected) < TOLERANCE
    after = converted(arrays(net.state_dict()), every)
    assert relative(new, tree.unflatten({path: after[path] for path in shapes[1]})) < TOLERANCE
