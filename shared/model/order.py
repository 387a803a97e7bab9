"""How keys compare: their bytes in the encoding by which a provider sorts its listings."""


def by_utf8(key: str) -> bytes:
    """The key's UTF-8."""
    return key.encode("utf-8", "surrogatepass")


def by_utf16(key: str) -> bytes:
    """The key's UTF-16, high bytes first."""
    return key.encode("utf-16-be", "surrogatepass")
