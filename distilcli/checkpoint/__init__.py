"""Model folders without torch: finding, reading and describing them."""
