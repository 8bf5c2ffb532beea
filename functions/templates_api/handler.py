"""Woken by any request under /v1/templates; leaves behind versions of templates, which messages are made from."""

from ecrm import bootstrap as wired

handler = wired.http_api()
