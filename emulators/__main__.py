"""`python -m emulators`: installs the emulators, or with `run` starts them until Enter or Ctrl-C."""

from __future__ import annotations

import shlex
import sys

from emulators.environment import environment
from emulators.errors import EmulatorError
from emulators.running import running_emulators


def main() -> int:
    """Run the command, and return the exit code."""
    try:
        if sys.argv[1:] == ["run"]:
            return _run()
        environment()
    except EmulatorError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nThe emulators were stopped: run the same command again to begin anew.", file=sys.stderr)
        return 130
    return 0


def _run() -> int:
    with running_emulators() as emulators:
        print(f"Emulators only ({emulators.bigquery_name}): nothing goes to Google Cloud. In another terminal, run:")
        for name, value in emulators.variables().items():
            print(f"export {name}={shlex.quote(value)}")
        try:
            input("Press Enter to stop them and delete their data.\n")
        except (KeyboardInterrupt, EOFError):
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
