"""PyTorch, channels last where it can be (`torch.channels_last`), eager and compiled."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.cases import Case, ScanCase
from benchmarks.machine import threads
from benchmarks.peers.guest import Arrays, Columns, Guest, Unsupported
from benchmarks.peers.torch_ops import op

PACKAGES = ("torch",)
Program = Callable[..., dict[str, torch.Tensor]]

torch.set_num_threads(threads())
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
if DEVICE.type == "cuda":  # as JAX has it by default
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True


class Layout:
    """The ways between a case's arrays and PyTorch's: maps (N, C, *spatial), kernels (K, C // groups, *size)."""

    def __init__(self, case: Case) -> None:
        self.case, self.rank = case, len(case.channels_last) - 2
        self.first = case.form == "channels first"

    def into(self, name: str, array: np.ndarray) -> torch.Tensor:
        """A tensor on the device, its memory channels last unless the case has them first."""
        tensor = torch.as_tensor(np.array(array), dtype=getattr(torch, self.case.dtype))
        lead = tensor.ndim - self.rank - 2  # 1 where a vmap's axis leads
        if name == "w":
            tensor = tensor.movedim((-1, -2), (lead, lead + 1))
        elif not self.first:
            tensor = tensor.movedim(-1, lead + 1)
        return self._laid(tensor).to(DEVICE)

    def _laid(self, tensor: torch.Tensor) -> torch.Tensor:
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        if self.first or tensor.ndim != self.rank + 2 or tensor.ndim not in formats:
            return tensor.contiguous()  # there is no channels last for 1-D, nor below a vmap
        return tensor.contiguous(memory_format=formats[tensor.ndim])

    def back(self, name: str, tensor: torch.Tensor) -> np.ndarray:
        """The array of a result."""
        if name == "measured":
            return tensor.detach().float().cpu().numpy()
        lead = tensor.ndim - self.rank - 2
        if name in ("w", "dw"):
            tensor = tensor.movedim((lead, lead + 1), (-1, -2))
        elif not self.first:
            tensor = tensor.movedim(lead + 1, -1)
        wide = torch.float64 if self.case.dtype == "float64" else torch.float32
        return tensor.detach().to(wide).cpu().contiguous().numpy()


def _forward(fn: Callable[..., torch.Tensor], *arrays: torch.Tensor) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        return {"y": fn(*arrays)}


def _both(fn: Callable[..., torch.Tensor], *args: torch.Tensor) -> dict[str, torch.Tensor]:
    arrays = [a.requires_grad_() for a in args[:-1]]
    y = fn(*arrays)
    return {"y": y} | dict(zip(("dx", "dw"), torch.autograd.grad(y, arrays, args[-1]), strict=False))


def _steps(fn: Callable[..., torch.Tensor], scan: ScanCase, direction: str, *args: torch.Tensor) -> Any:
    """`scans.program`, a step after the other: PyTorch has no scan."""
    from benchmarks import scans

    names = ("x", "w") if scan.case.w else ("x",)
    start, target = dict(zip(names, args[:-1], strict=True)), args[-1]
    now, measured = dict(start), []
    for _ in range(scan.steps):
        if direction == "forward":
            with torch.no_grad():
                y = fn(*now.values())
                measured.append((y * target).sum() / y.numel() ** 0.5)
                now["x"] = now["x"] + scans.FAR * measured[-1]
            continue
        moving = scans.rates(scan)
        leaves = {name: now[name].detach().requires_grad_() for name in moving}
        loss = 0.5 * ((fn(*(now | leaves).values()) - target) ** 2).sum()
        gradients = torch.autograd.grad(loss, list(leaves.values()))
        with torch.no_grad():
            for (name, rate), gradient in zip(moving.items(), gradients, strict=True):
                now[name] = now[name] - rate * gradient
        measured.append(loss.detach())
    moved = ("x",) if direction == "forward" else scans.learned(scan)
    return {"measured": torch.stack(measured)} | {name: now[name] - start[name] for name in moved}


def wait() -> None:
    """Until the device is done."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def guest(call: Callable[[], Any], results: Callable[[Any], Any], compiled: bool) -> Guest:
    """A guest that is warm; its first call is where `torch.compile` compiles."""

    def finished() -> Any:
        out = call()
        wait()
        return out

    start = time.perf_counter()
    finished()
    return Guest(finished, results, time.perf_counter() - start if compiled else None)


def columns(spec: Mapping[str, Any], arrays: Arrays) -> Columns:
    """Eager, and by `torch.compile`."""
    if spec["kind"] == "model":
        from benchmarks.peers import torch_models

        return torch_models.columns(spec, arrays)
    case = Case.from_json(spec["case"])
    if not case.differentiable and DEVICE.type == "cuda":
        raise Unsupported("floats only")
    layout, direction = Layout(case), spec["direction"]
    args = [layout.into("w" if name == "w" else "x", array) for name, array in arrays.items()]

    def make(compiled: bool) -> Guest:
        fn = op(case)
        if compiled:
            torch._dynamo.reset()
            fn = torch.compile(fn, dynamic=False)
        if spec["kind"] == "scan":
            scan = ScanCase(case, spec["learned"], spec["steps"])
            call: Callable[[], Any] = partial(_steps, fn, scan, direction, *args)
        else:
            call = partial(_forward if direction == "forward" else _both, fn, *args)

        def results(made: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
            return {name: layout.back(name, tensor) for name, tensor in made.items()}

        return guest(call, results, compiled)

    return {"torch": partial(make, False), "torch.compile": partial(make, True)}
