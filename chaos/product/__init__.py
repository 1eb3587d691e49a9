"""All that touches the project itself: loads in processes of their own, and what warehouses then hold."""
