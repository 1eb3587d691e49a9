"""`python -m environments`: makes an environment; `--help` lists the options.

This module and `versions` are written for older Pythons as well, so that these can say what is wrong.
"""

import sys

from environments.versions import refusal


def main() -> int:
    """Run the command, and return the exit code."""
    problem = refusal(sys.executable, sys.version_info[:2])
    if problem:
        print(problem, file=sys.stderr)
        return 1
    from environments.command import run  # noqa: PLC0415 - an older Python can't read it

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
