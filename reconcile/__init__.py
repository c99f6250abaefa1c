"""Where systems contradict each other: the rule catalogue (`rules/`), the run, and the ledger of breaks (`reconcile`)."""
