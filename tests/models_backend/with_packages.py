"""Runs a module where packages are installed in a folder. Usage: FOLDER MODULE ARGUMENT ..."""

import runpy
import sys

folder, module, *arguments = sys.argv[1:]
sys.path.insert(0, folder)
sys.argv = [module, *arguments]
runpy.run_module(module, run_name="__main__", alter_sys=True)
