"""Reports: a task's result as something to look at."""
