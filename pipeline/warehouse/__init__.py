"""The DuckDB file: the SQL library over the tables of one load."""
