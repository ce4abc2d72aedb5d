"""`python -m minibert.cli`, where the command `minibert` is not on the path."""

import sys

from minibert.cli.main import main

sys.exit(main())
