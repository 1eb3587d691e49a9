"""First steps with Dagster: small assets that each show one thing, beside the taxi assets and independent of them.

``hello`` hands a value from one asset to the next, ``holidays`` runs Python with packages of its own, and ``products``
goes from a web service to a table.
"""
