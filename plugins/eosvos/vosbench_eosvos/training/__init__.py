"""Pre-training, meta-training and the data they share."""
