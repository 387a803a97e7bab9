"""Reading: the bytes of one object in file mode become rows, as a stream that can be taken up again.

A file is one JSON object, a JSON array, JSONL or Parquet; its content tells which. A row that is no task costs only
itself, and what can't be read at all ends the rows with a `fatal` one: bytes never raise, only a `ByteSource` does.
"""

from shared.services.imports.reading.formats import HINT, read_rows
from shared.services.imports.reading.source import BLOCK, ByteSource, RangedSource, WholeBytes

__all__ = ["BLOCK", "HINT", "ByteSource", "RangedSource", "WholeBytes", "read_rows"]
