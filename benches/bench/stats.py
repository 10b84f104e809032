"""Values that were measured several times."""

import statistics


class Series:
    """One value a round."""

    def __init__(self, values=()):
        self.values = list(values)

    def add(self, value):
        self.values.append(value)

    def __bool__(self):
        return bool(self.values)

    @property
    def median(self):
        return statistics.median(self.values)

    def percentile(self, p):
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))]

    def over(self, other):
        """Returns the ratios round by round: a drift of the machine hits both sides of each."""
        return Series(a / b for a, b in zip(self.values, other.values) if b)

    def spread(self):
        return f"{min(self.values):.2f}-{max(self.values):.2f}"
