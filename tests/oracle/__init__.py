"""Second implementations, in plain Python: of the facts by `facts`, of every view by the modules that `views` names.

They are written from the definitions and not from the SQL, and take source files as the vendor sends them.
"""
