"""`HYPOTHESIS_PROFILE=thorough` looks for new counterexamples; without it the same ones are tried every time."""

import os

from hypothesis import settings

settings.register_profile("quick", max_examples=60, derandomize=True, deadline=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
