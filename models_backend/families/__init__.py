"""Model families behind one interface: a family knows its loss, its sampling and its files."""
