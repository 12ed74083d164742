"""Which profile belongs to which model."""
