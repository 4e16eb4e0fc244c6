"""Campaigns: a frozen protocol, its arms and criteria, and the sets of images to be judged."""

from evalplatform.campaigns.models.campaign import Arm, Campaign, arm_letter, new_invitation
from evalplatform.campaigns.models.chosen import ChosenImage
from evalplatform.campaigns.models.criteria import Criterion
from evalplatform.campaigns.models.items import ImageSet, Item, ShownImage
from evalplatform.campaigns.models.pictures import Picture, Withheld

__all__ = [
    "Arm",
    "Campaign",
    "ChosenImage",
    "Criterion",
    "ImageSet",
    "Item",
    "Picture",
    "ShownImage",
    "Withheld",
    "arm_letter",
    "new_invitation",
]
