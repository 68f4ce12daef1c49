"""Whole folders: find the pictures, write what was said about them, show it as a page."""
