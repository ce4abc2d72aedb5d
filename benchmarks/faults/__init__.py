"""What can go wrong around a training or a file, made to go wrong: see `benchmarks/torture.py`."""
