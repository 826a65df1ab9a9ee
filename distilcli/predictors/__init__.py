"""The Python face: one class per task, loaded once, for any number of texts."""
