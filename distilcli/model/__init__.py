"""The torch model: encoder, heads, and how weights get in and out."""
