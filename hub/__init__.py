"""What every room stands on: errors, settings, logging, periods, money. A closed list."""
