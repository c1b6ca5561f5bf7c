"""What all tests share."""

from hypothesis import settings

# A busy machine is slow and not wrong: no example has a deadline. The same examples every time, so that
# a failure is a change's and not chance's.
settings.register_profile("dialtrace", deadline=None, derandomize=True)
settings.load_profile("dialtrace")
