"""Cells of the table of annotators."""

from django import template

from evalplatform.reports import people_table

register = template.Library()
register.filter("person_cells", people_table.person_cells)
