"""What is known of crowd platforms: the parameters they send and the addresses they wait at.

docs/crowd.md says of each where it was read, and what could not be confirmed.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """One platform. Parameters are compared without regard to capitals.

    Addresses may hold {id}, {study}, {session} and {code}; an empty one is not known beforehand.
    """

    label: str
    id_param: str
    study_param: str = ""
    session_param: str = ""
    signature_param: str = "signature"
    completed: str = ""
    screened_out: str = ""
    full: str = ""
    # Whether the parameter of the id belongs to this platform alone, so that a link that was set
    # up for another platform can be told.
    is_telling: bool = True


_PROLIFIC_END = "https://app.prolific.com/submissions/complete?cc={code}"
_CINT_END = "https://samplicio.us/s/ClientCallBack.aspx"

PRESETS = {
    "prolific": Preset(
        label="Prolific",
        id_param="PROLIFIC_PID",
        study_param="STUDY_ID",
        session_param="SESSION_ID",
        signature_param="prolific_token",
        completed=_PROLIFIC_END,
        screened_out=_PROLIFIC_END,
        full=_PROLIFIC_END,
    ),
    "connect": Preset(
        label="Connect",
        id_param="participantId",
        study_param="projectId",
        session_param="assignmentId",
        completed="https://connect.cloudresearch.com/participant/project/{code}/complete",
    ),
    "sona": Preset(label="SONA", id_param="survey_code"),
    "cint": Preset(
        label="Cint",
        id_param="RID",
        completed=f"{_CINT_END}?RIS=10&RID={{id}}",
        screened_out=f"{_CINT_END}?RIS=20&RID={{id}}",
        full=f"{_CINT_END}?RIS=40&RID={{id}}",
    ),
    "generic": Preset(
        label="",
        id_param="id",
        study_param="study",
        session_param="session",
        is_telling=False,
    ),
}
