"""What the library tells whoever listens; it does not know who does."""

from django.dispatch import Signal

volume_recorded = Signal()
"""Sent with ``volume`` once the rows of an imported volume are committed."""
