"""`python -m lbw`."""

import sys

from lbw.cli import main

sys.exit(main())
