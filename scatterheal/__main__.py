"""``python -m scatterheal``: the command line."""

import sys

from scatterheal.app.commands import main

if __name__ == "__main__":
    sys.exit(main())
