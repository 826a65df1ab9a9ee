"""How good values are against what was expected: figures from plain values, free of torch."""
