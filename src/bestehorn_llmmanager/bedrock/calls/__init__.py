"""One call of a manager on its way: what is sent to each target, and what became of it."""
