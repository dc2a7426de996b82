"""One conversation to read, and the search for conversations by their words.

`conversation` reads it from the tables and puts its events in order, `text` and `html` show it, `search` finds conversations.
"""
