"""Tables of the names in the old file of inference profiles and of its place, for code that refers to them by constant."""

from __future__ import annotations

from typing import ClassVar


class CRISFilePaths:
    DEFAULT_HTML_OUTPUT = "docs/CRIS.htm"  # until 4.0.0
    DEFAULT_JSON_OUTPUT = "docs/CRIS.json"


class CRISGlobalConstants:
    GLOBAL_PROFILE_PREFIX = "global."
    GLOBAL_DESTINATION_MARKER = "Commercial AWS Regions"
    COMMERCIAL_REGIONS_MARKER = "_COMMERCIAL_AWS_REGIONS_"
    COMMERCIAL_AWS_REGIONS: ClassVar[list[str]] = [
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "ca-central-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "eu-central-1",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ap-south-1",
        "sa-east-1",
    ]


class CRISJSONFields:
    RETRIEVAL_TIMESTAMP = "retrieval_timestamp"
    CRIS = "CRIS"
    MODEL_NAME = "model_name"
    INFERENCE_PROFILES = "inference_profiles"
    REGION_MAPPINGS = "region_mappings"
    INFERENCE_PROFILE_ID = "inference_profile_id"
    REGION_PREFIX = "region_prefix"
    REGIONAL_VARIANTS = "regional_variants"
    ALL_INFERENCE_PROFILES = "all_inference_profiles"


class CRISRegionPrefixes:
    US_PREFIX = "US "
    EU_PREFIX = "EU "
    APAC_PREFIX = "APAC "
    GLOBAL_PREFIX = "Global "
    US_IDENTIFIER = "US"
    EU_IDENTIFIER = "EU"
    APAC_IDENTIFIER = "APAC"
    GLOBAL_IDENTIFIER = "GLOBAL"
    PRIMARY_PREFERENCE_ORDER: ClassVar[list[str]] = ["US", "EU", "APAC", "GLOBAL"]


# until 4.0.0
class CRISURLs:
    DOCUMENTATION = "https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html#inference-profiles-support-system"


# end
