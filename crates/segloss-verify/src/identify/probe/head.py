"""Asks {MODULE}:{FUNCTION} about small batches and saves what it answers, for `segloss check answers.npz`.

    python probe.py                 run it where `import {MODULE}` works; writes answers.npz
"""
import importlib
import inspect
import sys

import numpy as np
{IMPORTS}
