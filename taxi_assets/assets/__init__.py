"""The asset graph: what each asset is, and the step that carries a taxi's months through all of them."""
