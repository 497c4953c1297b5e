"""Weights of e-OSVOS's ablation and of photos alone, found by name once this is installed."""
