"""Durations on the command line: 90, 90s, 15m, 6h, 2d, or off."""

import re

import click

from service.domain.silence import MAX_SILENT_AFTER_S, OFF

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(\d+)\s*([smhd]?)", re.ASCII)


class Allowance(click.ParamType[int]):
    """For how long a run may be silent, in seconds; `off`: for any time."""

    name = "duration"

    def convert(self, value: int | str, _param: click.Parameter | None, _context: click.Context | None) -> int:
        """Return the seconds."""
        if isinstance(value, int):
            return value
        text = value.strip().lower()
        if text == "off":
            return OFF
        found = _DURATION.fullmatch(text)
        seconds = int(found[1]) * _UNITS[found[2]] if found else -1
        if not OFF <= seconds <= MAX_SILENT_AFTER_S:
            self.fail(f"{value!r} is neither off nor a number of seconds, or one with s, m, h or d, up to 3650d.")
        return seconds
