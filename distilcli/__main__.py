"""`python -m distilcli`: the same as `distil`."""

import sys

from distilcli.app import main

sys.exit(main())
