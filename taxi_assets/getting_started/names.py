"""What all assets of the group have in common."""

from typing import Final

GROUP: Final = "getting_started"
"""The group, and the first part of its asset keys."""

VALUES: Final = "values_io_manager"
"""Key of the I/O manager that hands Python values from one asset to the next."""
