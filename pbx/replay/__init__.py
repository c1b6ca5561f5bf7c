"""What if: calls that were recorded, run again through changed flows in one shared virtual world.

:mod:`~pbx.replay.recorded` is what is known of a call, :mod:`~pbx.replay.people` what is supposed of
those who were not asked then, :mod:`~pbx.replay.world` the run, :mod:`~pbx.replay.outcome` the difference.
"""
