"""What is right in a row, read once for training and evaluation: labels, answers, tags, choices."""
