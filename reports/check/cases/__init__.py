"""Losses as people have them: right.py and wrong.py, each a list CASES."""
