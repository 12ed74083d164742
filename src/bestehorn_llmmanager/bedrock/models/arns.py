"""Takes Bedrock's ARNs apart."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from bestehorn_llmmanager._dataclass import dataclass

_PARTS = 6


@dataclass(frozen=True)
class BedrockArn:
    """``arn:<partition>:bedrock:<region>:<account>:<kind>/<resource_id>``.

    Attributes:
        region: Empty in the region-less ARN of a global profile.
        account: Twelve digits; empty for what AWS owns.
        kind: ``"foundation-model"``, ``"inference-profile"``,
            ``"application-inference-profile"``, ``"provisioned-model"``, ``"custom-model"``,
            ``"imported-model"``, ``"prompt"``, ``"default-prompt-router"``, …
        resource_id: What follows the first slash; may hold more of them.
    """

    partition: str
    region: str
    account: str
    kind: str
    resource_id: str


def parse_arn(text: str) -> BedrockArn | None:
    """Take an ARN of the service `bedrock` apart; None if `text` is not one."""
    parts = text.split(":", _PARTS - 1)
    if len(parts) != _PARTS or parts[0] != "arn" or parts[2] != "bedrock":
        return None
    kind, _, resource_id = parts[5].partition("/")
    if not (kind and resource_id):
        return None
    return BedrockArn(parts[1], parts[3], parts[4], kind, resource_id)
