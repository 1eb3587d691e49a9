"""The asset graph: the assets, their checks, and the step that carries a taxi's months through all of them."""
