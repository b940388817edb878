"""`make physics`: what the simulator gives beside what is measured and published.

python -m benchmarks.physics [OUT] [--data DIR]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.physics.page import write_page
from benchmarks.physics.published import auger_residuals, compare_with_published
from benchmarks.physics.sessa_reference import compare_profile
from benchmarks.physics.surveys import fit_survey, read_cases
from xpshpc.spectra.settings import Physics

DATA = Path(__file__).parents[3] / "shared" / "data" / "xps"


def main() -> int:
    """Computes every comparison for which the data are there, prints it and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.physics", description="Evidence for the physics.")
    parser.add_argument("out", nargs="?", type=Path, default=Path("runs/physics"), metavar="OUT")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with surveys/ and sessa_reference/")
    asked = parser.parse_args()
    there = (asked.data / "surveys").is_dir() and (asked.data / "sessa_reference").is_dir()
    missing = "" if there else f"The measured surveys and SESSA's spectra are not here (looked in {asked.data})."
    if missing:
        print(missing)
    fits, profiles = [], []
    for case in read_cases() if there else ():
        fit = fit_survey(case, asked.data / "surveys")
        fits.append(fit)
        print(f"{case.title:<12}{fit.describe()}", flush=True)
    for imfp in ("JTP", "TPP-2M") if there else ():
        profile = compare_profile(asked.data / "sessa_reference", Physics(imfp=imfp))
        profiles.append(profile)
        print(
            f"SESSA's Nb/Si profile with {imfp}: areas within {100 * profile.worst:.1f} %, "
            f"attenuation length {profile.our_length_A:.2f} Å (SESSA {profile.their_length_A:.2f} Å)"
        )
    published, residuals = compare_with_published(), auger_residuals()
    print(f"published values: {sum(one.met for one in published)} of {len(published)} as near as they should be")
    for one in published:
        if not one.met:
            print(f"  {one.quantity}, {one.subject}: {one.ours:.4g}, published {one.theirs:g} {one.unit}")
    print(write_page(asked.out, fits, profiles, published, residuals, missing))
    return 0


if __name__ == "__main__":
    sys.exit(main())
