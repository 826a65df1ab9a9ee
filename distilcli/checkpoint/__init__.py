"""Model folders without torch: where they are, what they hold, how they are described."""
