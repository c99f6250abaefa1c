"""What each feed promises (contracts), the canonical shapes it fills (entities), and the code tables between."""
