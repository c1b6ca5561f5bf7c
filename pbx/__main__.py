"""``python -m pbx`` is ``pbx``."""

from pbx.cli import main

if __name__ == "__main__":
    main()
