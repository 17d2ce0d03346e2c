"""Third floor: one file per sub-command, one public function each. They return reports and print nothing."""
