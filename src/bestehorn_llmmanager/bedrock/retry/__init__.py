"""What to try next, given what failed: targets, the plan of attempts, decisions about errors."""
