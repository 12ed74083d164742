"""Sends a picture and three documents, whose formats the builder finds out, and a follow-up."""

# ruff: noqa: T201

import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from bestehorn_llmmanager import (
    DocumentFormatEnum,
    ImageFormatEnum,
    LLMManager,
    create_assistant_message,
    create_user_message,
)
from bestehorn_llmmanager.bedrock.exceptions import LLMManagerError, RequestValidationError

PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)
PDF = b"%PDF-1.7\n" + b"%" * 64
with tempfile.TemporaryDirectory() as folder:
    table = Path(folder) / "sales 2026.csv"
    table.write_text("month,sales\nJanuary,10\n")
    question = (
        create_user_message()
        .add_text("  What do these have in common?  ")
        .add_image_bytes(PNG, filename="chart.png")
        .add_document_bytes(PDF, filename="report.pdf")
        .add_document_bytes(b"# Notes", format=DocumentFormatEnum.MD, name="My notes (1)")
        .add_local_document(str(table))
    )
messages = [
    question.build(),
    create_assistant_message().add_text("They are about sales.").build(),
    create_user_message().add_text("Sure?").build(),
]
built = copy.deepcopy(messages[0]["content"])
manager = LLMManager(models=["Nova Lite"], regions=["us-east-1"])
try:
    response = manager.converse(messages=messages)
    failure = None
except LLMManagerError as error:
    failure = type(error).__name__
    for number, block in enumerate(messages[0]["content"]):
        if "document" in block:
            block["document"]["name"] = f"Document {number}"
    response = manager.converse(messages=messages)


def refusal(build: Callable[[], object]) -> str | None:
    try:
        build()
    except (RequestValidationError, FileNotFoundError) as error:
        return type(error).__name__
    return None


CASES: dict[str, Callable[[], object]] = {
    "blank text": lambda: create_user_message().add_text("   "),
    "no block": lambda: create_user_message().build(),
    "empty image": lambda: create_user_message().add_image_bytes(b"", ImageFormatEnum.PNG),
    "unknown image": lambda: create_user_message().add_image_bytes(b"no such format at all"),
    "large image": lambda: create_user_message().add_image_bytes(
        bytes(3_750_001), ImageFormatEnum.PNG
    ),
    "no file": lambda: create_user_message().add_local_document("/no/such/file.pdf"),
}
print(
    json.dumps(
        {
            "content": response.get_content(),
            "failure": failure,
            "blocks": question.content_block_count,
            "builder": str(question),
            "kinds": [kind for block in built for kind in block],
            "text": built[0]["text"],
            "image_format": built[1]["image"]["format"],
            "documents": [
                (block["document"]["format"], block["document"].get("name")) for block in built[2:]
            ],
            "warnings": len(response.get_warnings()),
            "refused": {name: refusal(build) for name, build in CASES.items()},
        }
    )
)
