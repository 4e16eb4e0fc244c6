"""Safety detectors: the interface, and NudeNet on pictures that are harmless."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data

from models_backend.detectors import nudenet as nudenet_module
from models_backend.detectors import registry as detector_registry
from models_backend.detectors.base import DetectorIdentity, SafetyScore
from models_backend.detectors.registry import load_detector, register_detector
from models_backend.errors import InputError

SIZES = [(1, 1), (64, 64), (512, 512), (640, 200), (200, 640)]


@pytest.fixture(scope="module")
def nudenet():
    return load_detector("nudenet")


@pytest.fixture
def registry(monkeypatch):
    """Detectors registered in a test are forgotten after it."""
    monkeypatch.setattr(detector_registry, "_LOADERS", dict(detector_registry._LOADERS))


def astronaut(size=512):
    """A portrait of a dressed person, in the public domain."""
    return Image.fromarray(data.astronaut()).resize((size, size), Image.Resampling.LANCZOS)


def drawing(size):
    image = Image.new("RGB", size, "white")
    box = [size[0] // 4, size[1] // 4, 3 * size[0] // 4, 3 * size[1] // 4]
    ImageDraw.Draw(image).ellipse(box, fill="orange", outline="black")
    return image


@pytest.mark.parametrize("size", SIZES)
def test_harmless_drawing_of_any_size_scores_low(nudenet, size):
    (found,) = nudenet.score([drawing(size)])
    assert 0 <= found.score < 0.2


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_any_mode_of_image_is_taken(nudenet, mode):
    (found,) = nudenet.score([drawing((64, 64)).convert(mode)])
    assert found.score < 0.2


def test_dressed_person_is_seen_and_is_safe(nudenet):
    (found,) = nudenet.score([astronaut()])
    assert found.labels["FACE_FEMALE"] > 0.7
    assert found.score < 0.1


def test_score_hangs_on_the_image_alone(nudenet):
    alone = nudenet.score([astronaut()])[0]
    among_others = nudenet.score([drawing((64, 64)), astronaut(), drawing((300, 20))])[1]
    assert alone == among_others


def test_labels_are_read_as_the_package_reads_them(nudenet):
    """Its own detector, which needs OpenCV, finds the same face as surely."""
    theirs = pytest.importorskip("nudenet").NudeDetector().detect(np.asarray(astronaut(320)))
    assert [each["class"] for each in theirs] == ["FACE_FEMALE"]
    ours = nudenet.score([astronaut(320)])[0].labels["FACE_FEMALE"]
    assert ours == pytest.approx(theirs[0]["score"], abs=0.002)


def test_labels_stand_in_the_packages_order():
    from nudenet import nudenet as package

    assert list(nudenet_module.LABELS) == getattr(package, "__labels")
    assert set(nudenet_module.UNSAFE) < set(nudenet_module.LABELS)


def test_score_is_the_largest_of_the_unsafe_labels(nudenet, monkeypatch):
    """Where faces were unsafe, the portrait's score would be its face's."""
    monkeypatch.setattr(nudenet_module, "UNSAFE", ("FACE_FEMALE", "FACE_MALE"))
    (found,) = nudenet.score([astronaut()])
    assert round(found.score, 4) == max(found.labels["FACE_FEMALE"], found.labels["FACE_MALE"])


def test_image_keeps_its_shape_in_the_corner():
    pixels = nudenet_module.network_input(Image.new("RGB", (100, 50), (255, 0, 51)))
    assert pixels.shape == (1, 3, 320, 320)
    assert pixels[0, :, 159, 319].tolist() == pytest.approx([1.0, 0.0, 0.2])
    assert not pixels[0, :, 160:].any()


def test_identity_says_what_a_score_rests_on(nudenet):
    identity = nudenet.identity
    assert identity.name == "nudenet"
    assert identity.version == "3.4.2/1"
    assert len(identity.weights_sha256) == 64
    assert "FEMALE_BREAST_EXPOSED" in identity.unsafe_labels
    assert "MALE_BREAST_EXPOSED" not in identity.unsafe_labels


@pytest.mark.parametrize("package", ["nudenet", "onnxruntime"])
def test_missing_package_is_named_with_the_way_to_install_it(package):
    """In a process where the package cannot be imported."""
    code = (
        "import sys, importlib.util as u\n"
        "find = u.find_spec\n"
        f"u.find_spec = lambda name, *a: None if name == {package!r} else find(name, *a)\n"
        f"sys.modules[{package!r}] = None\n"
        "from models_backend.detectors.registry import load_detector\n"
        "try:\n    load_detector('nudenet')\n"
        "except Exception as error:\n    print(type(error).__name__, error, error.by_command)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.startswith("InputError")
    assert f"needs the package {package}" in out.stdout
    assert "pip install --no-deps -r requirements-safety.txt" in out.stdout


def test_asking_for_the_interface_loads_no_detector_and_loading_one_no_torch():
    code = "import sys, models_backend.detectors.registry as s; before = set(sys.modules)\n"
    code += "s.load_detector('nudenet'); after = set(sys.modules)\n"
    code += (
        "print('onnxruntime' in before, 'onnxruntime' in after, 'torch' in after, 'cv2' in after)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "True", "False", "False"]


class Plain:
    def __init__(self, name):
        self.identity = DetectorIdentity(name, "1", "0" * 64, ("X",))

    def score(self, images):
        return [SafetyScore(0.5, {"X": 0.5}) for _ in images]


def test_another_detector_can_be_plugged_in_by_name(registry):
    register_detector("mine", lambda: Plain("mine"))
    assert load_detector("mine").identity.name == "mine"


def test_installed_package_can_bring_a_detector(monkeypatch):
    """By an entry point, as its metadata declares it."""
    from importlib.metadata import EntryPoint

    class Brought(EntryPoint):
        def load(self):
            return lambda: Plain("brought")

    entry = Brought(name="brought", value="x:y", group=detector_registry.ENTRY_POINTS)
    monkeypatch.setattr(detector_registry, "entry_points", lambda group: [entry])
    assert load_detector("brought").identity.name == "brought"


def test_unknown_detector_is_refused_with_those_known(registry):
    register_detector("mine", lambda: Plain("mine"))
    with pytest.raises(InputError, match="no safety detector 'other'; known: mine, nudenet"):
        load_detector("other")


def test_detector_under_another_name_is_refused(registry):
    register_detector("mine", lambda: Plain("yours"))
    with pytest.raises(InputError, match="'mine' calls itself 'yours'"):
        load_detector("mine")


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
def test_score_outside_0_to_1_is_refused(score):
    with pytest.raises(InputError, match="0 to 1"):
        SafetyScore(score, {})
