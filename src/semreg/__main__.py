"""`python -m semreg` is the command `semreg`."""

from semreg.cli import main

if __name__ == "__main__":
    main()
