"""How catalogues, models and responses show themselves in a notebook; imported when one does."""
