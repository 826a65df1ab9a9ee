"""Metrics: predictions against gold values, as plain values or arrays, without torch."""
