"""A source file, whatever its layout, as rows of tables."""
