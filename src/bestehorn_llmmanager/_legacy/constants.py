"""Tables of the names in the old file of models and of its place, for code that refers to them by constant."""

from __future__ import annotations


class FilePaths:
    DEFAULT_HTML_OUTPUT = "docs/FoundationalModels.htm"  # until 4.0.0
    DEFAULT_JSON_OUTPUT = "docs/FoundationalModels.json"


class JSONFields:
    RETRIEVAL_TIMESTAMP = "retrieval_timestamp"
    MODELS = "models"
    PROVIDER = "provider"
    MODEL_ID = "model_id"
    REGIONS_SUPPORTED = "regions_supported"
    INPUT_MODALITIES = "input_modalities"
    OUTPUT_MODALITIES = "output_modalities"
    STREAMING_SUPPORTED = "streaming_supported"
    INFERENCE_PARAMETERS_LINK = "inference_parameters_link"
    HYPERPARAMETERS_LINK = "hyperparameters_link"
    INFERENCE_TYPES_SUPPORTED = "inference_types_supported"


# until 4.0.0
class URLs:
    BEDROCK_MODELS_DOCUMENTATION = (
        "https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html"
    )


# end
