"""OSVOS (Caelles et al., CVPR 2017) on a light backbone: one-shot segmentation by fine-tuning."""
