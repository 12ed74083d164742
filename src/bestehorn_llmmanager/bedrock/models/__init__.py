"""Data only: structures, enums, constants."""
