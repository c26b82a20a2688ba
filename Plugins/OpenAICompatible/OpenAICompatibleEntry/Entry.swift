// The library's entry.
