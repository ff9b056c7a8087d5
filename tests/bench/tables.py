"""How figures are shown: a table in Markdown, and a plot where a folder is named."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

Figure = int | float | str


@dataclass(frozen=True)
class Plot:
    """What is drawn of a table: columns *across* and *up*, by their number."""

    title: str
    across: int
    up: Sequence[int]
    logarithmic: bool = True


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
        print("|" + "---:|" * len(self.names))
        for row in self.rows:
            print("|", " | ".join(map(_format, row)), "|", flush=True)
        if folder is not None and self.plot is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._draw(self.plot, folder / f"{self.name}.png")

    def _draw(self, plot: Plot, path: Path) -> None:
        from matplotlib.figure import Figure as Sheet
        from matplotlib.ticker import FuncFormatter

        sheet = Sheet(figsize=(6.4, 3.6), layout="constrained")
        axes = sheet.subplots()
        across = [row[plot.across] for row in self.rows]
        for column in plot.up:
            up = [row[column] for row in self.rows]
            axes.plot(across, up, marker="o", label=self.names[column])
        if plot.logarithmic:
            axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        axes.set_ylim(bottom=0)
        axes.set_xlabel(self.names[plot.across])
        axes.set_title(plot.title, fontsize=11)
        axes.grid(alpha=0.3)
        axes.legend()
        sheet.savefig(path, dpi=110)


def _format(figure: Figure) -> str:
    """Return a figure with thousands, and as many decimals as it is worth."""
    if isinstance(figure, str):
        return figure
    if isinstance(figure, int) or figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.2f}" if figure < 10 else f"{figure:.1f}"
