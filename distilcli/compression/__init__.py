"""Smaller models: each file is one way to make a trained model smaller; `run.py` combines them."""
