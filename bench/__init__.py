"""Measurements that back the README's figures: `python -m bench NAME`."""
