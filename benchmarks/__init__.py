"""The benchmark: naive NumPy, naive under jit, plain lax and ours, side by side. Run `python -m benchmarks --help`."""
