"""Woken by any request under /v1/messages and /v1/sending; leaves behind messages asked for, and whether any are sent."""

from ecrm import bootstrap as wired

handler = wired.http_api()
