"""A cloud's JSON held against what is expected of it."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from orchestrator.adapters.strangers import one_line
from orchestrator.domain.errors import CloudProtocolError
from orchestrator.domain.ids import CloudName

Shape = TypeVar("Shape", bound=BaseModel)


def read_as(cloud: CloudName, doing: str, shape: type[Shape], body: Any) -> Shape:
    """
    Read *body* as *shape*.

    Raises:
        CloudProtocolError: It is something else; names the field, never its value, which may be a secret.
    """
    try:
        return shape.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "answer"
        message = f"{doing}: {one_line(field)}: {first['msg']}"
    raise CloudProtocolError(cloud, message)
