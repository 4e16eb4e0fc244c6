"""A small typed client of the evaluation platform's API: the standard library alone."""

from evalplatform_client._generated import Client, Page
from evalplatform_client._transport import ApiError, UnreachableError
from evalplatform_client.flows import AskedBatch, FlowClient, Panel

__all__ = ["ApiError", "AskedBatch", "Client", "FlowClient", "Page", "Panel", "UnreachableError"]
