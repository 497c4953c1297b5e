"""Runs: sequences handed to executors, and what is written down of them."""
