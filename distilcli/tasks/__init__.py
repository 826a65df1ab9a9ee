"""The tasks: each encodes rows, runs the model, and decodes plain values."""
