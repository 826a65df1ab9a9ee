"""Models and predictions against what was expected: figures, intervals, and the rows gone wrong."""
