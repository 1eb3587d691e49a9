"""Setting Google Cloud up, checking it, and tearing it down."""
