"""Other libraries, each in a process of its own, for two thread pools on the same cores would slow both down.

`python -m benchmarks.peers NAME` answers requests, a line of JSON each, on its standard input and output; `process`
is the other end.
"""

COLUMNS: dict[str, tuple[str, ...]] = {
    "flax": ("flax",),
    "equinox": ("equinox",),
    "keras": ("keras",),
    "torch": ("torch", "torch.compile"),
}
TITLES = {
    "flax": "Flax",
    "equinox": "Equinox",
    "keras": "Keras",
    "torch": "PyTorch",
    "torch.compile": "torch.compile",
}
REMEDY = {
    "flax": "pip install flax",
    "equinox": 'pip install "jaxnets[peers]"',
    "keras": 'pip install "jaxnets[peers]"',
    "torch": "pip install torch",
}
