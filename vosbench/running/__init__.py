"""Runs: sequences handed to executors, and the records of what they did."""
