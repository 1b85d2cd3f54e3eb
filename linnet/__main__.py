"""`python -m linnet` is the same as `linnet`."""

import sys

from linnet.cli import main

sys.exit(main())
