"""How figures are shown: a table in Markdown, and a plot where a folder is named."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Figure = int | float | str


@dataclass(frozen=True)
class Plot:
    """
    What is drawn of a table: columns *across* and *up*, by their number.

    As lines, one for each of *up* and each value of column *by*; or as *bars*, a group
    for each row.
    """

    title: str
    across: int
    up: Sequence[int]
    logarithmic: bool = True
    by: int | None = None
    bars: bool = False


@dataclass
class Table:
    """Rows under the *names* of their columns, and how they are drawn."""

    name: str
    names: Sequence[str]
    plot: Plot | None = None
    rows: list[Sequence[Figure]] = field(default_factory=list)

    def show(self, folder: Path | None) -> None:
        """Print the table; draw it into *folder*/*name*.png."""
        print()
        print("|", " | ".join(self.names), "|")
        first = self.rows[0] if self.rows else self.names
        print("|" + "".join("---|" if isinstance(x, str) else "---:|" for x in first))
        for row in self.rows:
            print("|", " | ".join(map(_format, row)), "|", flush=True)
        if folder is not None and self.plot is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._draw(self.plot, folder / f"{self.name}.png")

    def _draw(self, plot: Plot, path: Path) -> None:
        from matplotlib.figure import Figure as Sheet

        sheet = Sheet(figsize=(6.4, 3.6), layout="constrained")
        axes = sheet.subplots()
        axes.set_title(plot.title, fontsize=11)
        axes.grid(alpha=0.3)
        if plot.bars:
            self._draw_bars(plot, axes)
        else:
            self._draw_lines(plot, axes)
        if len(plot.up) > 1 or plot.by is not None:
            axes.legend()
        sheet.savefig(path, dpi=110)

    def _draw_lines(self, plot: Plot, axes: "Axes") -> None:
        from matplotlib.ticker import FuncFormatter

        kinds = {""} if plot.by is None else {str(row[plot.by]) for row in self.rows}
        for kind in sorted(kinds):
            rows = [row for row in self.rows if kind in ("", row[plot.by or 0])]
            for column in plot.up:
                across = [float(row[plot.across]) for row in rows]
                up = [float(row[column]) for row in rows]
                axes.plot(across, up, marker="o", label=kind or self.names[column])
        if plot.logarithmic:
            axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        axes.set_ylim(bottom=0)
        axes.set_xlabel(self.names[plot.across])
        axes.set_ylabel(self.names[plot.up[0]])

    def _draw_bars(self, plot: Plot, axes: "Axes") -> None:
        height = 0.8 / len(plot.up)
        for place, column in enumerate(plot.up):
            at = [row + place * height for row in range(len(self.rows))]
            # What was not measured has no bar.
            wide = [
                0.0 if isinstance(row[column], str) else float(row[column])
                for row in self.rows
            ]
            axes.barh(at, wide, height, label=self.names[column])
        middle = 0.4 - height / 2
        labels = [str(row[plot.across]).replace("`", "") for row in self.rows]
        axes.set_yticks([row + middle for row in range(len(self.rows))], labels)
        axes.invert_yaxis()
        axes.set_xlabel(self.names[plot.up[0]] if len(plot.up) == 1 else "")


def _format(figure: Figure) -> str:
    """Return a figure with thousands, and as many decimals as it is worth."""
    if isinstance(figure, str):
        return figure
    if isinstance(figure, int) or figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.2f}" if figure < 10 else f"{figure:.1f}"
