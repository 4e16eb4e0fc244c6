from django import template

from evalplatform.core.words import time_in_words

register = template.Library()
register.filter("in_words", time_in_words)
