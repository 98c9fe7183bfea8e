"""Forecast: headers of raw files -> memory, CPU and GPU seconds and disk of each task, before anything runs.

What rules ask for and what `scopemill plan` says is the same. How it is reckoned and checked: docs/plan.md.
"""
