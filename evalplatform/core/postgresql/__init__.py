"""The platform's database backend for Django: PostgreSQL, asked less often how it is."""
