"""Annotations: files that people drew (or programs wrote) <-> one table, one row an annotated object.

Coordinates are in pixels of the raw image; pixel (0, 0) spans 0 to 1 on both axes, so that its centre is at 0.5, as in
QuPath, COCO and ImageJ's outlines. `table.py` says what the columns are.
"""
