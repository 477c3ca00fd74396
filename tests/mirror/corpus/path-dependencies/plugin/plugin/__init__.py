"""A plugin of the project."""
