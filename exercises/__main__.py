"""`python -m exercises`: the commands are in `exercises/grader/commands.py`."""

import sys

from exercises.grader.commands import main

if __name__ == "__main__":
    sys.exit(main())
