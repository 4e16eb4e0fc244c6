"""Public formats of preference data: each is read into a set, some are written from one."""
