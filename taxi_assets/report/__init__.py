"""The report: what the trips of a month, or of all months, look like, as one HTML page and as plots.

``summary`` asks the warehouse, ``figures`` draws, ``svg`` and ``page`` make a page that needs nothing beside itself,
``assets`` puts it into the asset graph.
"""
