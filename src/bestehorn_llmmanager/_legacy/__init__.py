"""What only old import paths still need; no living code imports it."""
