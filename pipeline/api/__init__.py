"""The Data Access API: signed requests with retries, listings, downloads."""
