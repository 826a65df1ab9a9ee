"""Evaluation results, one file for each task."""
