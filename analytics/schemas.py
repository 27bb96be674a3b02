"""The wire format of contents."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from backoffice.core.wire import Body, CleanText, WebAddress, WholeNumber


class ContentPut(Body):
    """A content: what can be watched. A live event has no duration while it runs."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "The Night Train",
                    "type": "hosted",
                    "duration_seconds": 5400,
                    "status": "available",
                    "url": "https://watch.example.com/night-train",
                    "image_url": "https://watch.example.com/night-train.jpg",
                }
            ]
        }
    )

    name: Annotated[CleanText, Field(min_length=1, max_length=300)]
    type: Literal["hosted", "live"] = "hosted"
    # Nothing lasts no time at all: zero says that the duration is not known.
    duration_seconds: Annotated[WholeNumber, Field(ge=0, le=2_147_483_647)] | None = None
    status: Literal["available", "unavailable"] = "unavailable"
    url: WebAddress = ""
    image_url: WebAddress = ""


class ContentAnswer(BaseModel):
    """A content as it is kept."""

    id: str
    name: str
    type: str
    duration_seconds: int | None
    status: str
    url: str
    image_url: str
