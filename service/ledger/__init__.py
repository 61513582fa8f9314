"""The write side: appends events and reads single streams."""
