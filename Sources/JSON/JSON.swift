// See docs.
