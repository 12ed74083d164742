"""Names the refusals of the service: code, HTTP status and message of each."""

from __future__ import annotations


class ServiceError(Exception):
    """A refusal that is sent to the client; it never reaches the caller of this package."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(code, status, message)
        self.code = code
        self.status = status
        self.message = message


def validation_error(message: str) -> ServiceError:
    return ServiceError("ValidationException", 400, message)


def invalid_identifier() -> ServiceError:
    return validation_error("The provided model identifier is invalid.")


def profile_required(model_id: str) -> ServiceError:
    return validation_error(
        # The apostrophe is the service's, and typographic.
        f"Invocation of model ID {model_id} with on-demand throughput isn\u2019t supported. Retry"
        " your request with the ID or ARN of an inference profile that contains this model."
    )


def end_of_life() -> ServiceError:
    return ServiceError(
        "ResourceNotFoundException",
        404,
        "This model version has reached the end of its life."
        " Please refer to the AWS documentation for more details.",
    )


def too_many_tokens() -> ServiceError:
    return ServiceError(
        "ThrottlingException", 429, "Too many tokens, please wait before trying again."
    )


def not_signed() -> ServiceError:
    return ServiceError("MissingAuthenticationTokenException", 403, "Missing Authentication Token")


def region_not_enabled() -> ServiceError:
    """What an account gets in a region that it has not opted in to."""
    return ServiceError(
        "UnrecognizedClientException", 403, "The security token included in the request is invalid."
    )


def wrong_region() -> ServiceError:
    return ServiceError(
        "InvalidSignatureException", 403, "Credential should be scoped to a valid region."
    )


def unknown_operation(method: str, path: str) -> ServiceError:
    return ServiceError(
        "UnknownOperationException", 404, f"LocalBedrock serves no operation at {method} {path}"
    )
