"""Evidence of a run that somebody changes by hand."""

import duckdb


def replaced(column, value):
    return f"SELECT * REPLACE (if(file_row_number = {{chosen}}, {value}, {column}) AS {column}) FROM numbered"


def changed(evidence, table, about, change):
    """Write the table of a folder of evidence anew, with the first row that `about` is true of changed."""
    file = evidence / f"{table}.parquet"
    with duckdb.connect() as db:
        db.read_parquet(str(file), file_row_number=True).create_view("numbered")
        query = change.format(chosen=f"(SELECT min(file_row_number) FROM numbered WHERE {about})")
        db.sql(f"CREATE TABLE anew AS SELECT * EXCLUDE (file_row_number) FROM ({query})")
        db.table("anew").write_parquet(str(file))
