"""The source systems' servers: SFTP, REST, SOAP and a proxy before the orders database, on loopback and free ports."""
