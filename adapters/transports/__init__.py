"""How bytes are fetched: files, SQL, REST, SOAP. Nothing here knows a system; a system names what to fetch."""
