"""What all assets of the group share."""

from typing import Final

GROUP: Final = "getting_started"
"""The first part of the asset keys, and so the group."""

VALUES: Final = "values_io_manager"
"""Key of the I/O manager that hands Python values from one asset to the next."""
