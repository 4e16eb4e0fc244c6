"""What every configuration is held against."""

from models_backend.errors import InputError

ROLES = ("pretrained", "quality_tuned", "baseline", "preference_tuned")


def check_run(name: str, role: str, seed: int) -> None:
    """Refuse what no run can be called, or be seeded with."""
    if not name or not name.replace("-", "").replace("_", "").isalnum():
        raise InputError(f"name {name!r}: use letters, digits, hyphens and underscores")
    if role not in ROLES:
        raise InputError(f"role {role!r}: accepted are {', '.join(ROLES)}")
    check_range("seed", seed, 0, 2**31 - 1)


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Refuse a value outside [low, high]; NaN is outside."""
    if not low <= value <= high:
        raise InputError(f"{name} {value}: accepted are {low:g} to {high:g}")
