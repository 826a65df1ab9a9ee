"""Learning: examples, objectives, the loop, and runs that resume."""
