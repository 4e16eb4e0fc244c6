#!/usr/bin/env python
"""Django's command-line entry point, in a clone; installed, it is the command `evalplatform`."""

from evalplatform.command_line import main

if __name__ == "__main__":
    main()
