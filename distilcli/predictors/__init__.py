"""Models ready to use, one class for each task: loaded once, for any number of texts."""
