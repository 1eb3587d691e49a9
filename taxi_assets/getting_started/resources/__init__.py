"""The resources that the assets use."""
