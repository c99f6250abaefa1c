"""The auditors' pages, and the listings that the command line shares with them. Reads the store; writes only its own folder."""
