"""Whole models by torchvision: the same architectures from their own initial weights, a training step alike.

Other weights give other numbers, so what is held against ours is the number of parameters.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F

from benchmarks.peers.guest import Arrays, Columns, Guest, Unsupported
from benchmarks.peers.torch import DEVICE, guest
from benchmarks.training import MOMENTUM, RATE

_names: list[torch.library.Library] = []  # what is defined lives as long as its library


def _torchvision() -> Any:
    """torchvision, also where its compiled operators are not those of this PyTorch: no classifier needs them, but the
    import wants their names to exist."""
    for _ in range(100):
        try:
            from torchvision import models
        except ImportError as error:
            raise Unsupported("torchvision is not installed") from error
        except RuntimeError as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if not missing:
                raise
            if not _names:
                _names.append(torch.library.Library("torchvision", "DEF"))
            _names[0].define(f"{missing[1]}(Tensor a) -> Tensor")
            for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
                del sys.modules[name]
        else:
            return models
    raise Unsupported("torchvision cannot be imported")


def columns(spec: Mapping[str, Any], arrays: Arrays) -> Columns:
    """Eager, and by `torch.compile`."""
    build = getattr(_torchvision(), spec["model"])

    def make(compiled: bool) -> Guest:
        torch.manual_seed(0)
        net = build(weights=None).to(DEVICE, memory_format=torch.channels_last).train()
        count = sum(p.numel() for p in net.parameters())
        if count != spec["parameters"]:
            raise Unsupported(f"{count:,} parameters, ours {spec['parameters']:,}")
        x = torch.as_tensor(arrays["x"]).movedim(-1, 1).contiguous(memory_format=torch.channels_last).to(DEVICE)
        labels = torch.as_tensor(arrays["labels"]).to(DEVICE)
        descent = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM)
        if compiled:
            torch._dynamo.reset()
        run = torch.compile(net, dynamic=False) if compiled else net

        def step() -> torch.Tensor:
            descent.zero_grad(set_to_none=True)
            loss = F.cross_entropy(run(x), labels)
            loss.backward()
            descent.step()
            return loss.detach()

        return guest(step, lambda loss: None, compiled)

    return {"torch": partial(make, False), "torch.compile": partial(make, True)}
