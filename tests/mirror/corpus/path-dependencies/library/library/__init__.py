"""A library of the project."""
