"""core: what every room may use: configs, errors, the run record, the machine."""
