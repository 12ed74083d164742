"""Lists the AWS regions that can have Bedrock."""

from __future__ import annotations


class AWSRegions:
    """Region codes by constant. The order is that of `get_all_regions`."""

    US_EAST_1 = "us-east-1"
    US_EAST_2 = "us-east-2"
    US_WEST_1 = "us-west-1"
    US_WEST_2 = "us-west-2"
    US_GOV_EAST_1 = "us-gov-east-1"
    US_GOV_WEST_1 = "us-gov-west-1"
    AP_NORTHEAST_1 = "ap-northeast-1"
    AP_NORTHEAST_2 = "ap-northeast-2"
    AP_NORTHEAST_3 = "ap-northeast-3"
    AP_SOUTH_1 = "ap-south-1"
    AP_SOUTH_2 = "ap-south-2"
    AP_SOUTHEAST_1 = "ap-southeast-1"
    AP_SOUTHEAST_2 = "ap-southeast-2"
    AP_SOUTHEAST_3 = "ap-southeast-3"
    AP_SOUTHEAST_4 = "ap-southeast-4"
    EU_CENTRAL_1 = "eu-central-1"
    EU_CENTRAL_2 = "eu-central-2"
    EU_NORTH_1 = "eu-north-1"
    EU_SOUTH_1 = "eu-south-1"
    EU_SOUTH_2 = "eu-south-2"
    EU_WEST_1 = "eu-west-1"
    EU_WEST_2 = "eu-west-2"
    EU_WEST_3 = "eu-west-3"
    CA_CENTRAL_1 = "ca-central-1"
    SA_EAST_1 = "sa-east-1"
    AF_SOUTH_1 = "af-south-1"
    AP_EAST_2 = "ap-east-2"
    AP_SOUTHEAST_5 = "ap-southeast-5"
    AP_SOUTHEAST_6 = "ap-southeast-6"
    AP_SOUTHEAST_7 = "ap-southeast-7"
    CA_WEST_1 = "ca-west-1"
    IL_CENTRAL_1 = "il-central-1"
    ME_CENTRAL_1 = "me-central-1"
    ME_SOUTH_1 = "me-south-1"
    MX_CENTRAL_1 = "mx-central-1"


class RegionSuffixes:
    """Marks that documentation puts behind a region code."""

    CROSS_REGION_INDICATOR = "*"


def get_all_regions() -> list[str]:
    """Every region of `AWSRegions`, GovCloud included, as a new list in a fixed order."""
    return [code for name, code in vars(AWSRegions).items() if name.isupper()]


def get_commercial_regions() -> list[str]:
    """The regions of the partition `aws`: all but GovCloud."""
    return [region for region in get_all_regions() if not region.startswith("us-gov-")]


def normalize_region_name(region_text: str) -> str:
    """Strip blanks and the mark of cross-region inference.

    >>> normalize_region_name(" us-east-1* ")
    'us-east-1'
    """
    return region_text.strip().rstrip("*").rstrip()


def is_cross_region_inference(region_text: str) -> bool:
    """Whether a region carries the mark of cross-region inference.

    >>> is_cross_region_inference("us-east-1*"), is_cross_region_inference("us-east-1")
    (True, False)
    """
    return region_text.strip().endswith("*")
