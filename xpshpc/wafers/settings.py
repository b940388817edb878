"""The [wafers] section of a job: which maps, how large, and what is done to them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from xpshpc.config import Section, nearest
from xpshpc.wafers.maps import CLASSES


class Originals(Section):
    """Measured maps of a file, chosen by class and split; the same choice for the same seed."""

    file: str = Field(description=".npz of packed maps, LSWMD.pkl, or a folder with a folder of PNGs for each class")
    classes: tuple[str, ...] = Field((), description="names of the classes that are taken; none: all of the file")
    split: Literal["train", "validation", "test", "all"] = Field("train", description="of the file's own splits")
    per_class: int | None = Field(None, gt=0, description="maps of each class, drawn at random; unset: all there are")
    whole_split_only: bool = Field(
        True, description="leave out maps of which another split has the very same one, and second copies"
    )

    @field_validator("file")
    @classmethod
    def _beside_the_job(cls, file: str, info: ValidationInfo) -> str:
        folder = (info.context or {}).get("folder")
        return str(folder / file) if folder else file

    @field_validator("classes")
    @classmethod
    def _each_once(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(classes)) < len(classes):
            raise ValueError("a class is listed twice")
        return classes


class Augmentation(Section):
    """Changes that leave a round wafer's class as it is; each is drawn evenly up to its bound."""

    rotation_degrees: float = Field(180.0, ge=0, le=180, description="either way")
    shear: float = Field(0.1, ge=0, le=0.5, description="largest shear, either way")
    flip_horizontal: bool = True
    flip_vertical: bool = True
    zoom: float = Field(0.0, ge=0, le=0.5, description="largest change of size, either way")
    shift: float = Field(0.0, ge=0, le=0.5, description="largest move, of the wafer's width, either way")
    keep_originals: bool = Field(True, description="the originals themselves come first, unchanged")


class Patterns(Section):
    """Maps drawn at random with the nine patterns, so that nothing but this program is needed."""

    classes: tuple[str, ...] = Field(CLASSES, min_length=1)
    shares: tuple[float, ...] = Field((), description="of the classes, in their order; none: equal")
    dies: tuple[int, int] = Field((26, 60), description="fewest and most dies across a wafer")
    yield_loss: tuple[float, float] = Field((0.02, 0.15), description="share of dies that fail outside the pattern")

    @field_validator("classes")
    @classmethod
    def _known(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        for name in classes:
            if name not in CLASSES:
                raise ValueError(f"unknown class {name!r}{nearest(name, CLASSES)}")
        if len(set(classes)) < len(classes):
            raise ValueError("a class is listed twice")
        return classes

    @model_validator(mode="after")
    def _bounds(self) -> Patterns:
        if self.shares and (len(self.shares) != len(self.classes) or min(self.shares) < 0 or sum(self.shares) <= 0):
            raise ValueError("shares are as many as classes, none below 0, not all 0")
        if not 8 <= self.dies[0] <= self.dies[1] <= 512:
            raise ValueError("dies takes two numbers from 8 to 512, the smaller one first")
        if not 0 <= self.yield_loss[0] <= self.yield_loss[1] < 1:
            raise ValueError("yield_loss takes two shares, the smaller one first")
        return self


class Generator(Section):
    """A trained generator, and where its gray images are cut into dies that pass and dies that fail."""

    model: str = Field(description="model.keras of a run with network dcgan")
    threshold: int = Field(127, ge=1, le=254, description="gray level from which on a die fails")
    classes: tuple[str, ...] = Field((), description="classes that are generated in turn; none: all the model knows")

    @field_validator("model")
    @classmethod
    def _beside_the_job(cls, model: str, info: ValidationInfo) -> str:
        folder = (info.context or {}).get("folder")
        return str(folder / model) if folder else model


class Part(Section):
    """One source's part of a mixture."""

    source: Literal["originals", "augmented", "generated", "synthetic"]
    samples: int = Field(gt=0)


DietName = Literal["real", "augmented", "generated", "mixed"]
"""What a study's classifier learns the studied class from."""


class StudyClassifier(Section):
    """The classifier by which a study asks whether made maps help; trained anew for each choice of training maps."""

    network: str = "wafer_cnn"
    parameters: dict[str, Any] = Field(default_factory=dict, description="the network's own sizes")
    task: dict[str, Any] = Field(default_factory=dict, description="as [train.task] with goal classify")
    per_class: int = Field(100, ge=2, description="most real maps of each class that is not studied")
    diets: tuple[DietName, ...] = Field(
        ("real", "augmented", "generated", "mixed"),
        min_length=1,
        description="choices of training maps; mode manual leaves out those with generated ones",
    )
    epochs: int = Field(20, gt=0, description="of the smallest choice; the others take as many steps, in fewer epochs")
    global_batch: int = Field(64, gt=0)
    learning_rate: float = Field(1e-3, gt=0)

    @field_validator("diets")
    @classmethod
    def _each_once(cls, diets: tuple[DietName, ...]) -> tuple[DietName, ...]:
        if len(set(diets)) < len(diets):
            raise ValueError("a choice is listed twice")
        return diets


class Study(Section):
    """One class with few originals: maps are made of them, compared with real ones, and used to train a classifier.

    How many augmented maps there are is generate.samples of the job; how the network is trained is its [train].
    """

    mode: Literal["auto", "manual"] = Field("auto", description="auto: augmentation and a network; manual: no network")
    defect: str = Field(description="name of the class of which there are few maps")
    originals: int = Field(22, description="real maps of it that may be used")
    generated: int = Field(400, description="maps that the network makes")
    thresholds: tuple[int, ...] = Field(
        tuple(range(40, 211, 10)), min_length=1, description="gray levels from which on a die may fail; the best stays"
    )
    held_out: tuple[Literal["validation", "test"], ...] = Field(
        ("validation", "test"),
        min_length=1,
        description="the file's splits whose maps of the class are compared with; of both, the validation maps choose "
        "the threshold and the test maps judge",
    )
    score_size: int | None = Field(None, ge=8, le=512, description="dies across images that are scored; unset: as made")
    extractor: str = Field("efficientnet-lite0", description="what sees the images: a known network, or a trained one")
    weights: str | None = Field(None, description="the extractor's weights file, where it needs one")
    resize: Literal["lanczos", "antialiased"] | None = Field(None, description="unset: as the extractor's default")
    classify: bool = Field(True, description="ask classifiers whether the made maps help")
    classifier: StudyClassifier = StudyClassifier()

    @field_validator("originals", "generated")
    @classmethod
    def _at_least_two(cls, number: int) -> int:
        if number < 2:
            raise ValueError(f"{number} image(s) have no spread that could be compared: 2 at least")
        return number

    @field_validator("thresholds")
    @classmethod
    def _gray_levels(cls, thresholds: tuple[int, ...]) -> tuple[int, ...]:
        if not all(1 <= threshold <= 254 for threshold in thresholds):
            raise ValueError("thresholds are gray levels from 1 to 254")
        if list(thresholds) != sorted(set(thresholds)):
            raise ValueError("thresholds rise, and none stands twice")
        return thresholds

    @field_validator("weights")
    @classmethod
    def _beside_the_job(cls, weights: str | None, info: ValidationInfo) -> str | None:
        folder = (info.context or {}).get("folder")
        return str(folder / weights) if folder and weights else weights


class WaferSettings(Section):
    """The whole section."""

    size: int = Field(48, ge=8, le=512, description="dies across the stored maps, which are square")
    originals: Originals | None = None
    augmentation: Augmentation = Augmentation()
    patterns: Patterns = Patterns()
    generator: Generator | None = None
    mixture: tuple[Part, ...] = Field((), description="source mixture: its parts; their samples add up to the job's")
    study: Study | None = Field(None, description="the whole chain for one class; xpshpc run then does all of it")
