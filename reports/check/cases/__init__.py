"""Losses as people have them, in three parts, each right ones and wrong ones; a module has a list CASES."""
