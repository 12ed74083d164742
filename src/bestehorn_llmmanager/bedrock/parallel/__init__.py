"""Many requests: how many at once, to which regions, what is kept of them."""
