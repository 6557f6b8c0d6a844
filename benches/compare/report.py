"""What came out: the table for people, JSON for programs."""

import json
import os
import platform
import time

from load import ROWS

TWICE = "-2"  # how the name of an edge with two workers ends


class Results:
    """A figure, `failed` or `not offered` for each row and edge."""

    def __init__(self, rows, edges):
        self.rows, self.edges = rows, edges
        self.figures, self.failures, self.absent = {}, {}, set()

    def add(self, row, edge, figure):
        self.figures.setdefault((row, edge), []).append(figure)

    def fail(self, row, edge, reason):
        self.failures.setdefault((row, edge), reason)

    def lowest(self, row, edge):
        """The lowest of all rounds; nothing if one of them failed."""
        if (row, edge) in self.failures or (row, edge) in self.absent:
            return None
        return min(self.figures.get((row, edge), []), default=None)

    def best_peer(self, row):
        alike = [edge for edge in self.edges if not edge.startswith("vitrine") and not edge.endswith(TWICE)]
        peers = [(self.lowest(row, edge), edge) for edge in alike]
        return min((peer for peer in peers if peer[0] is not None), default=(None, None))

    def table(self):
        header = ["", "", *self.edges, "best peer", "vitrine/best"]
        twice = [edge for edge in self.edges if edge.endswith(TWICE) and edge.removesuffix(TWICE) in self.edges]
        header += [f"{edge}/{edge.removesuffix(TWICE)}" for edge in twice]
        lines = [header]
        for row in self.rows:
            best, name = self.best_peer(row)
            ours = self.lowest(row, "vitrine")
            ratio = f"{ours / best:.2f}" if ours is not None and best else "-"
            cells = [self._cell(row, edge) for edge in self.edges]
            grown = [self._to_one(row, edge) for edge in twice]
            lines.append([ROWS[row].title, ROWS[row].unit, *cells, name or "-", ratio, *grown])
        widths = [max(map(len, column)) for column in zip(*lines)]
        text = [_line(line, widths) for line in lines]
        for (row, edge), reason in self.failures.items():
            text.append(f"failed: {edge}, {ROWS[row].title}: {reason}")
        return "\n".join(text)

    def _to_one(self, row, edge):
        """What an operation costs with two workers, held against one."""
        two, one = self.lowest(row, edge), self.lowest(row, edge.removesuffix(TWICE))
        return f"{two / one:.2f}" if two and one else "-"

    def _cell(self, row, edge):
        if (row, edge) in self.failures:
            return "failed"
        if (row, edge) in self.absent:
            return "not offered"
        figure = self.lowest(row, edge)
        return "-" if figure is None else f"{figure:.1f}"

    def write(self, folder, versions, options):
        os.makedirs(folder, exist_ok=True)
        moment = time.gmtime()
        path = os.path.join(folder, time.strftime("compare-%Y%m%dT%H%M%SZ.json", moment))
        cells = [
            {
                "row": row,
                "title": ROWS[row].title,
                "unit": ROWS[row].unit,
                "edge": edge,
                "lowest": self.lowest(row, edge),
                "rounds": self.figures.get((row, edge), []),
                "failed": self.failures.get((row, edge)),
                "not_offered": (row, edge) in self.absent,
            }
            for row in self.rows
            for edge in self.edges
        ]
        document = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", moment),
            "machine": {"cpu": _cpu_model(), "kernel": platform.release(), "cpus": os.cpu_count()},
            "options": options,
            "versions": versions,
            "cells": cells,
        }
        with open(path, "w") as file:
            json.dump(document, file, indent=2, ensure_ascii=False)
            file.write("\n")
        return path


def _line(cells, widths):
    left = [cell.ljust(width) for cell, width in zip(cells[:2], widths)]
    right = [cell.rjust(width) for cell, width in zip(cells[2:], widths[2:])]
    return "  ".join(left + right).rstrip()


def _cpu_model():
    with open("/proc/cpuinfo") as info:
        return next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), platform.machine())
