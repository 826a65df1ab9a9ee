"""The one engine that carries rows through a model in batches."""
