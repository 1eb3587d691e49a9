"""``make chaos``: seeded faults against the whole product, and an independent judgement of what came of each.

``strict`` reads files by the documented rules and shares no code with the project; ``faults`` makes what goes wrong;
``product`` is all that touches the project itself; ``families`` puts them together, a kind of fault each. The page
docs/reliability.md is written by a whole run.
"""
