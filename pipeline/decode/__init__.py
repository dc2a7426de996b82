"""Decodes source files, in any layout, into rows of tables."""
