"""First steps with Dagster: small assets that show one thing each, beside the taxi assets and independent of them.

``hello`` hands a value on, ``holidays`` runs Python with packages of its own, ``products`` goes from a web service to a
table. ``parts`` says what of them belongs to the project.
"""
