"""Woken by whoever follows a link under /public, mail scanners too; shows the page behind it.

Only a form that is posted there leaves something behind: what its reader chose.
"""

from ecrm import bootstrap as wired
from ecrm.application.links import read_public_order
from ecrm.entry.public import Shown, Visit

handler = wired.public_pages()


@handler.page("/public/orders/{token}")
def show_order(visit: Visit) -> str:
    """Show an order's status page to its customer."""
    found = read_public_order(visit.token, keys=wired.link_keys(), orders=wired.orders(), sites=wired.sites())
    return wired.pages().order(found, visit.language(found.language, found.site.languages))


@handler.page("/public/reports/{token}")
def show_report(visit: Visit) -> Shown:
    """Show a night's report to whoever in the company has its link."""
    return wired.show_report(visit)


@handler.page("/public/campaign-reports/{token}")
def show_campaign_report(visit: Visit) -> Shown:
    """Show what became of a campaign's run to whoever in the company has the link."""
    return wired.show_campaign_report(visit)


handler.form("/public/u/{token}", wired.show_unsubscribing, wired.unsubscribe, takes_anything=True)
handler.form("/public/preferences/{token}", wired.show_preferences, wired.choose_preferences)
handler.form("/public/confirm/{token}", wired.show_opt_in, wired.confirm_opt_in)
handler.form("/public/my-data/{token}", wired.show_my_data, wired.ask_for_data)
handler.form("/public/data-requests/{token}", wired.show_data_request, wired.confirm_data_request)
handler.page("/public/data/{token}")(wired.show_data_files)
handler.page("/public/view/{token}")(wired.show_mail)
