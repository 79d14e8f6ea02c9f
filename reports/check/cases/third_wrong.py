"""Made last, without knowing what the search finds."""
from .case import wrong_ones

CASES, library, written = wrong_ones("third")
