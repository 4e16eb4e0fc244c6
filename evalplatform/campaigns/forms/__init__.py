"""Forms of judgement: the only rooms that know what an answer looks like."""

from evalplatform.campaigns.forms.base import Form, Grades, Order, again
from evalplatform.campaigns.forms.registry import FORMS, form_named

__all__ = ["FORMS", "Form", "Grades", "Order", "again", "form_named"]
