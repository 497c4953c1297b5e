"""Datasets of video sequences with masks, by name or by folder."""
