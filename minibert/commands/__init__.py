"""What each command of the command line does: a module a group, opened when it is called."""
