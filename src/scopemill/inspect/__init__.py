"""Inspect: a finished study -> a local page in which a person looks at images and cells and decides about them."""
