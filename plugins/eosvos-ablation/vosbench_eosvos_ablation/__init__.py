"""The weights of e-OSVOS's ablation: three files, found by name once this is installed."""
