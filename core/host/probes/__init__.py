"""What is tried in child processes.

Each module has `main(arguments)`, which says what it finds through `report.say`. The modules run in an interpreter of
their own without installed packages (see `isoscope.core.host.child`), so they import nothing but each other and what is
cheap of the standard library.
"""
