"""``python -m benchmarks.tasks <module>.<function> <JSON object>``: runs one task and prints its result as JSON."""

from __future__ import annotations

import json
import sys
from importlib import import_module

if __name__ == "__main__":
    module, _, function = sys.argv[1].partition(".")
    facts = getattr(import_module(f"benchmarks.tasks.{module}"), function)(**json.loads(sys.argv[2]))
    sys.stdout.write(f"\n{json.dumps(facts)}\n")
