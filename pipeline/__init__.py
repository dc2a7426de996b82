"""LivePerson engagement data: from hourly gz files to a lake of Parquet tables and answers in SQL."""
