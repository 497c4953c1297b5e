"""What runs mean: scores beside each other, statistics, sweeps, ablations, published numbers."""
