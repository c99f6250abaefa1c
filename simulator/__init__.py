"""The source systems as real servers over one seeded world with known truth. Imports nothing of the hub."""
