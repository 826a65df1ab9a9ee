"""How fast a model is here, and what it costs: measured, compared, kept as JSON."""
