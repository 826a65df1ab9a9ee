"""Learning from a bigger model: distillation."""
