"""Commands of XPS itself: simulate one spectrum, analyze measured ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from xpshpc.cli import options, show
from xpshpc.cli.answer import console, print_json
from xpshpc.cli.show_measured import show_analysis
from xpshpc.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from xpshpc.config import JobFile
    from xpshpc.spectra.settings import SpectraSettings


def add_commands(app: typer.Typer) -> None:
    """Adds this room's commands to the program."""
    for command in (simulate, analyze):
        app.command()(command)


def simulate(
    sample: Annotated[
        str,
        typer.Argument(
            metavar="SAMPLE",
            help='A formula: "Cu2O", "Fe0.5Ni0.5"; layers: "SiO2 | 25 Å; Si"; or a .toml file of layers.',
        ),
    ],
    overlayer: Annotated[
        float, typer.Option("--overlayer", metavar="Å", min=0, help="Å of the job's overlayer on top, C5O by default.")
    ] = 0.0,
    density: Annotated[
        float | None, typer.Option("--density", metavar="G/CM3", help="Of a sample without layers, where not known.")
    ] = None,
    job: Annotated[Path | None, typer.Option("--job", help="Take sample and instrument settings of a job.")] = None,
    settings: options.Settings = None,
    engine: Annotated[
        str, typer.Option("--engine", metavar="embedded|sessa|both", help="Which simulator; both are compared.")
    ] = "embedded",
    sessa: Annotated[
        str | None, typer.Option("--sessa", metavar="EXECUTABLE", help="SESSA, where the job does not say.")
    ] = None,
    noise: Annotated[bool, typer.Option("--noise", help="With counting noise.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the noise.")] = 0,
    lines: Annotated[
        bool, typer.Option("--lines", help="Print every line inside the window, with all behind it.")
    ] = False,
    lines_output: Annotated[
        Path | None, typer.Option("--lines-output", metavar="FILE", help="Write the lines: .csv or .json.")
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Write a figure: .png, .svg or .pdf.")] = None,
    output: Annotated[Path | None, typer.Option("--output", help="Write the spectrum: .csv.")] = None,
    as_json: options.AsJson = False,
) -> int:
    """Simulate the spectrum of one sample: a material, or any stack of layers, by one simulator or two."""
    from xpshpc.spectra.figures.spectrum_plot import check_format
    from xpshpc.spectra.simulate import simulate_sample
    from xpshpc.spectra.simulated_spectrum import Engine

    engines: dict[str, Engine] = {"embedded": "embedded", "sessa": "sessa", "both": "both"}
    if engine not in engines:
        raise UsageError(f"unknown engine {engine!r}", where="--engine", try_="--engine embedded, sessa or both")
    _check_suffix(output, ".csv")
    _check_suffix(lines_output, ".csv", ".json")
    if plot is not None:
        check_format(plot)
    job_file = _spectra_job(job, settings)
    simulated = simulate_sample(
        sample,
        _spectra_settings(job_file),
        overlayer_A=overlayer,
        density_g_cm3=density,
        noise_seed=seed if noise else None,
        engine=engines[engine],
        sessa=_sessa_options(job_file, sessa) if engine != "embedded" else None,
    )
    if output is not None:
        simulated.write_csv(output)
    if lines_output is not None:
        simulated.write_lines(lines_output)
    if plot is not None:
        simulated.plot(plot)
    if as_json:
        print_json(simulated.as_json())
    else:
        written = [path for path in (plot, output, lines_output) if path is not None]
        show.show_simulated(console(), simulated, every_line=lines, written=written)
    return ExitCode.DONE


def analyze(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Measured surveys: CSV, XY, VAMAS.")],
    model: Annotated[Path, typer.Option("--model", metavar="RUN", help="A run, or its model.keras.")],
    scale: Annotated[
        str | None, typer.Option("--scale", metavar="kinetic|binding", help="Energy scale, where the file has none.")
    ] = None,
    photon_energy: Annotated[
        float | None, typer.Option("--photon-energy", metavar="EV", help="Where the file does not say.")
    ] = None,
    charge_shift: Annotated[
        float, typer.Option("--charge-shift", metavar="EV", help="Added to the binding energies.")
    ] = 0.0,
    raw: Annotated[bool, typer.Option("--raw", help="Do not divide by the transmission that a file gives.")] = False,
    plots: Annotated[Path | None, typer.Option("--plots", metavar="DIR", help="Where figures are written.")] = None,
    table: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write a table of elements, at.% and ±.")
    ] = None,
    as_json: options.AsJson = False,
) -> int:
    """Composition (at.% ±) and overlayer thickness of measured surveys, by a trained network.

    What ± promises was measured on simulated held-out spectra of the network's own job: a sample unlike any of them
    is not covered.
    """
    from xpshpc.spectra.analyze import analyze as read_composition

    chosen: dict[str, Literal["kinetic", "binding"]] = {"kinetic": "kinetic", "binding": "binding"}
    if scale is not None and scale not in chosen:
        raise UsageError(f"unknown scale {scale!r}", where="--scale", try_="--scale kinetic, or --scale binding")
    _check_suffix(table, ".csv")
    analysis = read_composition(
        files,
        model,
        scale=chosen[scale] if scale else None,
        photon_energy_eV=photon_energy,
        charge_shift_eV=charge_shift,
        divide_by_transmission=not raw,
        plot_directory=plots,
    )
    if table is not None:
        analysis.write_csv(table)
    if as_json:
        print_json(analysis.as_json())
    else:
        show_analysis(console(), analysis.as_json())
    return ExitCode.DONE


def _check_suffix(path: Path | None, *known: str) -> None:
    if path is not None and path.suffix not in known:
        raise UsageError(
            f"cannot write {path.suffix or 'a file without suffix'}",
            where=str(path),
            try_=" or ".join(f"x{suffix}" for suffix in known),
        )


def _spectra_job(job: Path | None, settings: list[str] | None) -> JobFile:
    """A job, or one of defaults, with `--set` applied."""
    from xpshpc.config import read_job, set_dotted, validate_job

    overrides = options.parse_settings(settings)
    if job is not None:
        return read_job(job, overrides)
    tables: dict[str, Any] = {"name": "one", "seed": 0, "generate": {"samples": 1}, "spectra": {}}
    for key, value in overrides.items():
        set_dotted(tables, key, value)
    return validate_job(tables, where="--set", folder=Path())


def _spectra_settings(job_file: JobFile) -> SpectraSettings:
    from xpshpc.spectra.settings import SpectraSettings

    if not isinstance(job_file.settings, SpectraSettings):
        raise UsageError("the job is not one of spectra", where=job_file.job.name)
    return job_file.settings


def _sessa_options(job_file: JobFile, executable: str | None) -> dict[str, Any]:
    """SESSA's options: the job's [generate.sessa], and the program of the command line in its place.

    A program that is named on the command line gets a virtual display only where there is no other and it needs one.
    """
    generate = job_file.job.generate
    known = dict(generate.options) if generate.source == "sessa" else {}
    if executable is not None:
        needless = bool(os.environ.get("DISPLAY")) or Path(executable).name == "xpshpc-sessa"
        known = {"display": "none" if needless else "xvfb", **known, "executable": executable}
    if "executable" not in known:
        raise UsageError(
            "no job says where SESSA is", where="--engine", try_="--sessa /opt/sessa/bin/sessa, or --sessa xpshpc-sessa"
        )
    return known
