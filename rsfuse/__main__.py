"""`python -m rsfuse` is `rsfuse`."""

from rsfuse.cli import main

if __name__ == "__main__":
    main()
