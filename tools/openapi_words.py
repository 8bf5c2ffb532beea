"""What the contracts cannot say by themselves: the description's words, and examples that a test sends to the functions."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from ecrm.analytics.campaign_reports import CampaignReport
from ecrm.analytics.forecasts import Check, CheckedRepeats, CurrencyModel, Source
from ecrm.analytics.purchasing import Purchasing
from ecrm.analytics.rfm import RfmScale, Scale
from ecrm.analytics.scoring import NightThresholds
from ecrm.analytics.spending import Spending
from ecrm.application import segments as use_segments
from ecrm.application.campaigns import CampaignView
from ecrm.application.consent import ConsentsView, ConsentView, joined
from ecrm.application.mail_ports import Pause, Sending
from ecrm.application.messages import KEPT_FOR
from ecrm.application.orders import OrderView
from ecrm.application.ports import Outcome
from ecrm.application.profiles import Kept, Profile
from ecrm.application.report_links import MadeLink
from ecrm.application.segment_ports import Night
from ecrm.application.simulations import Effect, Expected, Sample, Simulation
from ecrm.application.templates import Preview, Rendered, TestSent
from ecrm.contracts import (
    behaviour,
    campaign_reports,
    campaigns,
    consent,
    contacts,
    customers,
    decisions,
    jobs,
    links,
    members,
    messages,
    nights,
    orders,
    products,
    profiles,
    report_links,
    reports,
    segments,
    simulations,
    sites,
    subscriptions,
    suppressions,
    templates,
    topics,
    uploads,
)
from ecrm.contracts.statistics import CustomersStatisticsBody
from ecrm.domain import orders as domain
from ecrm.domain import statistics
from ecrm.domain.attributes import Attribute
from ecrm.domain.campaigns import Campaign, Head, Life, LifeState
from ecrm.domain.comparisons import Comparison, Op
from ecrm.domain.consent import ConsentFact
from ecrm.domain.customers import Customer
from ecrm.domain.events import Event
from ecrm.domain.facts import Rfm, Scores
from ecrm.domain.imports import (
    Drop,
    Import,
    ImportState,
    Kind,
    Layout,
    Plan,
    Progress,
    RowError,
    Tally,
    finished,
    queued,
    upload_name,
)
from ecrm.domain.imports import FileFormat as ContactFileFormat
from ecrm.domain.imports import started as taken_up
from ecrm.domain.instants import time_zone, to_answer, to_text
from ecrm.domain.jobs import ExportFile, FileFormat, Job, JobKind, done, progressed, started
from ecrm.domain.judging import Reason, Verdict
from ecrm.domain.lifecycle import Stage, Thresholds
from ecrm.domain.messages import Accepted, Policy, Send, claim, resolve
from ecrm.domain.nights import NightState
from ecrm.domain.predictions import Prediction
from ecrm.domain.products import Product, Stated
from ecrm.domain.runs import Run, RunState, Tried, retry_id
from ecrm.domain.runs import Verdict as PilotVerdict
from ecrm.domain.segments import Field, StatsCondition
from ecrm.domain.suppressions import Ground, Lift, Suppression, with_ground, with_lift
from ecrm.domain.tallies import Group
from ecrm.domain.tallies import Tally as RosterTally
from tools.sample_report import small_report

ABOUT = """\
An order is placed, then events say what happens to it; its state is the sum of its facts, in whatever order they arrive. \
Customers come into being from the identifiers of their orders, and their statistics are recounted after each event.

Every request needs a key: `Authorization: Bearer <key>`, or Basic with the key as user name. Every error is \
`application/problem+json` of one shape; `code` is made for programs and stable, `detail` for people. Unknown fields and \
unknown query parameters are refused. HEAD answers as GET without the body; OPTIONS tells a path's methods. Every answer \
carries `X-Correlation-Id`, which names the request in our logs. `docs/api.md` explains the rest."""

FOR_BROWSERS = (
    "Pages of any origin may call it: OPTIONS answers a preflight, and every answer carries `Access-Control-Allow-Origin: *`."
)

PROBLEMS = {
    400: "The request cannot be read: the body's syntax, the query string, Idempotency-Key or a precondition.",
    401: "No valid key: missing, malformed, unknown, revoked or expired; the answer does not say which.",
    403: "The key lacks the scope, or does not reach the site that is named.",
    404: "There is no such thing.",
    405: "The path has other methods; `Allow` names them.",
    409: "It contradicts what is already a fact, or the same Idempotency-Key is being worked on (then with Retry-After).",
    410: "The customer was erased.",
    412: "The definition is not at the version that If-Match or If-None-Match names.",
    413: "The body is too large.",
    415: "The body is not sent as application/json.",
    422: "The request can be read and cannot be right: `errors` names each place.",
    500: "A mistake of ours: an alarm has rung.",
    503: "Come back after Retry-After seconds. Nothing is lost by sending the same again.",
}

FIELDS = {
    "traits": "At most 100: text, number, boolean, date, list; null clears. Segment's reserved names in either spelling.",
    "PutCustomerBody.language": "BCP 47 tag; null clears.",
    "UpdateCustomerBody.language": "BCP 47 tag; null clears.",
    "PutCustomerBody.time_zone": "IANA time zone; null clears.",
    "UpdateCustomerBody.time_zone": "IANA time zone; null clears.",
    "PutCustomerBody.occurred_at": "When this was so; at most 24 hours ahead of our clock, without it now. The newer stays.",
    "UpdateCustomerBody.occurred_at": "When this was so; at most 24 hours ahead of our clock, without it now. The newer stays.",
    "PutCustomerBody.backfill": "What is said of the past: it triggers nothing.",
    "UpdateCustomerBody.backfill": "What is said of the past: it triggers nothing.",
    "OtherCustomerBody.customer_id": "Ours; of the customer who is part of the other one.",
    "format": "`ndjson`: a JSON object a line. `csv`: for a spreadsheet, with formulas made harmless.",
    "RecordContactBody.channel": "Where it was said.",
    "direction": "Who turned to whom: `inbound` is the customer to the company.",
    "text": "What was said or written, as it was; at most 10 KB of UTF-8.",
    "subject": "What it was about.",
    "author": "Who said or noted it.",
    "AuthorBody.name": "As colleagues know them.",
    "AuthorBody.role": "Whether the customer, somebody of the company, a partner, or a system.",
    "RecordContactBody.order_id": "The order that it was about.",
    "RecordContactBody.backfill": "A past contact: it triggers nothing.",
    "contact_id": "The contact's name on its site: recorded once. Without it, the same body is recorded once.",
    "available": "Whether it can be bought; null as true. A product ends with false.",
    "brand": "Who makes it.",
    "PutSiteBody.brand": "The storefront's name, as customers know it.",
    "image_url": "A picture of it; http or https.",
    "PriceBody.amount": "Of one piece, as it is sold now.",
    "PriceBody.currency": "Of the amount.",
    "price": "What one piece costs now.",
    "products": "Each is judged by itself, in this order.",
    "replenishment_days": "Days after which a buyer usually needs it again.",
    "stock": "Pieces left; null where it is not known.",
    "translations": "By language; each is a field of its own, and null takes it away.",
    "description": "In that language.",
    "updated_at": "When this was so, at most 24 hours ahead of our clock; without it, now. What is newer stays.",
    "url": "Its page; http or https.",
    "order_id": "The shop's own id, unique on its site.",
    "placed_at": "When the customer ordered; at most 24 hours ahead of our clock.",
    "customer": "Who ordered; at least one identifier.",
    "user_id": "The shop's own id of the customer, unique on its site.",
    "anonymous_id": "The id of a browser or device that is not signed in.",
    "email": "Kept with its domain in lower-case ASCII (punycode).",
    "phone": "E.164.",
    "currency": "Of every amount of the order.",
    "PutSiteBody.currency": "In which the site's figures are told.",
    "PlaceOrderBody.lines": "What was bought.",
    "AmendedBody.lines": "All lines as they are now.",
    "lines": "Which pieces; without it, all that is left.",
    "discount": "Off the whole order, beside the lines' own discounts.",
    "LineBody.discount": "Off the whole line, not off each piece.",
    "LineBody.line_id": "Unique in the order; without it, the line's position from 1.",
    "line_id": "The order's line.",
    "sku": "The shop's own name of the article.",
    "name": "As the customer knows it.",
    "quantity": "Pieces.",
    "unit_price": "Of one piece, before discounts.",
    "category": "For segments and statistics.",
    "shipping": "Not part of net revenue.",
    "tax": "On the whole order; not part of net revenue.",
    "total": "What the customer pays: what lines, discounts, shipping and tax make. 422 says by how much it is off.",
    "tax_included": "Whether prices contain the tax; it is then not added.",
    "coupon": "The code that was used.",
    "site": "Another site than the key's own, where the key reaches it.",
    "PlaceOrderBody.backfill": "A past order: it counts in statistics and triggers nothing.",
    "backfill": "A past event: it counts in statistics and triggers nothing.",
    "occurred_at": "When it happened; at most 24 hours ahead of our clock.",
    "event_id": "The event's name within its order: applied once. Without it, the same body is applied once.",
    "type": "What happened.",
    "shipment_id": "The parcel.",
    "DeliveredBody.shipment_id": "The parcel: all that it carries.",
    "carrier": "Who carries it.",
    "tracking_number": "The carrier's number.",
    "tracking_url": "Where the customer can follow it; http or https.",
    "estimated_on": "The day on which it should arrive.",
    "state": "What the carrier says. An update needs a state or an estimated_on.",
    "reason": "Why, in any words.",
    "amount": "What was paid back; without it, all that is left of the total. Needed where lines are named.",
    "orders": "Each is judged by itself: one that is no order is answered in its own result.",
    "events": "In this order. Each is judged by itself: one that is no event is answered in its own result.",
    "limit": "Orders on a page.",
    "cursor": "The `next_cursor` of the page before, with the rest of the body as it was.",
    "language": "Of the page; without it, that of the reader's browser, else the site's first.",
    "languages": "BCP 47 tags; the first is the site's own.",
    "time_zone": "IANA time zone.",
    "sender": "The address that mails come from.",
    "names": "What the customer reads, by language (BCP 47).",
    "descriptions": "What is sent and how often, by language.",
    "double_opt_in": "Whether a grant waits for a proof; without one it is pending.",
    "channels": "On which it is offered; without it, on all.",
    "consents": "All of them are taken, or none.",
    "channel": "How the person is addressed.",
    "topic": "The name of a topic.",
    "ConsentBody.state": "`pending`: asked, not yet confirmed.",
    "at": "When it was so, at most 24 hours ahead of our clock; what lies ahead counts as now.",
    "ConsentBody.at": "When the person said so, at most 24 hours ahead of our clock; what lies ahead counts as now.",
    "SuppressAddressBody.at": "Since when; without it, now.",
    "ConsentBody.source": "Where it was said, such as a form or a shop; without it, the key.",
    "method": "How it came.",
    "text_version": "Which words the person agreed to; without it, those of the topic as it stands.",
    "proof": "What shows that it was the person.",
    "kind": "What the person did: followed the link in a mail, chose in their preferences, signed, or said so on record.",
    "confirmed_at": "When they did.",
    "reference": "Where that is kept: a message id, a file's number.",
    "ip": "From which address on the internet.",
    "address": "An e-mail address, a phone in E.164, a device's token, or a postal address, as the channel needs it.",
    "SuppressAddressBody.reason": "Why.",
    "note": "Of choice, in any words; forgotten when the person is erased.",
    "reply_to": "The address that answers go to.",
    "postal_address": "For the foot of mails.",
    "logo_url": "The picture at the head of mails, over https; without it, the brand's name in letters.",
    "accent": "The colour of buttons in mails, as `#rrggbb`.",
    "test_recipients": "Addresses of staff: the only ones that test sends go to.",
    "quiet_hours": "When no marketing mail goes out, by the recipient's clock, else the site's; it waits. `null`: at any hour.",
    "QuietHoursBody.start": "Of the day's clock, as `21:00`.",
    "QuietHoursBody.end": "Likewise; before the start, it is on the next day.",
    "frequency_cap": "How many marketing mails a person gets at most, whatever asks for them. `null`: as many as there are.",
    "FrequencyCapBody.most": "Mails.",
    "FrequencyCapBody.days": "Within so many days, counted back from each mail.",
    "mails": "By type of an order's event: the template of the mail that goes to the customer after it. No mail without it.",
    "RequestMessageBody.template": "The name of a transactional template, yours or a ready-made one.",
    "RequestMessageBody.customer": "To whom: by `customer_id`, or by identifiers, which make a customer where nobody has them.",
    "RequestMessageBody.language": "BCP 47 tag; without it, the customer's own, else the site's first.",
    "data": "What the template calls `data`: at most 32 KB of JSON.",
    "RequestMessageBody.order_id": "What the template calls `order`; one of the customer's, on this site.",
    "AddresseeBody.customer_id": "Ours.",
    "FindOrderBody.order_id": "As it stands in the order's mails.",
    "FindOrderBody.email": "The address that the order was placed with; the link goes there and nowhere else.",
    "FindOrderBody.site": "The storefront.",
    "SubscribeBody.email": "Where the question goes: the mail has the link that confirms it.",
    "SubscribeBody.topics": "What they want to hear about, by mail: names of topics. In a form, a field for each.",
    "SubscribeBody.language": "BCP 47 tag of the mail and of the page that answers a form; without it, the customer's own.",
    "SubscribeBody.text_version": "The version of the words beside the button; without it, the topic's own.",
    "website": "A trap for robots: a field that the page hides from people. Where it is filled in, nothing happens.",
    "SubscribeBody.writeKey": "The write key, where it is not in the header.",
    "transactional": "Mails that belong to something the customer does.",
    "marketing": "Mails of campaigns.",
    "paused": "Whether they wait.",
    "purpose": "`transactional` is owed to its receiver; `marketing` needs their consent to its topic; a `partial` is no mail.",
    "PutTemplateBody.topic": "Of a marketing template: the topic that its receivers consented to.",
    "variants": "By language (BCP 47); at most 300 KB in all.",
    "VariantBody.subject": "One line. A mail has one, a partial has none.",
    "preheader": "What mail programs show beside the subject.",
    "html": "The mail. `docs/templates.md` says what may stand in it.",
    "VariantBody.text": "Its plain text; without it, made from the HTML.",
    "PreviewTemplateBody.template": "A template to be tried without being stored. This or `name`.",
    "PreviewTemplateBody.name": "A template that is there.",
    "PreviewTemplateBody.version": "Of that one; without it, the newest.",
    "SendTestBody.version": "Without it, the newest.",
    "SendTestBody.language": "One of the template's; without it, as it would be chosen.",
    "SendTestBody.customer_id": "A customer to try it with; needs `customers:read`. The mail goes to `to` all the same.",
    "SendTestBody.customer": "Attributes to try it with, as traits are sent; they come before the customer's own.",
    "SendTestBody.order_id": "An order to try it with; needs `orders:read`. Without it, a sample.",
    "SendTestBody.site": "The storefront whose sender, colours and test recipients count.",
    "SendTestBody.to": "Test recipients of the site.",
    "SendTestBody.segments": "Names of segments to try it with, in place of those that the customer is in.",
    "PreviewTemplateBody.segments": "Names of segments to try it with, in place of those that the customer is in.",
    "PreviewTemplateBody.language": "One of the template's; without it, as it would be chosen.",
    "PreviewTemplateBody.customer_id": "A customer to try it with; needs `customers:read`.",
    "PreviewTemplateBody.customer": "Attributes to try it with, as traits are sent; they come before the customer's own.",
    "PreviewTemplateBody.order_id": "An order to try it with; needs `orders:read`. Without it, a sample.",
    "PolicyBody.reason": "Why they are to wait; needed to pause.",
    "RequestImportBody.kind": "What its rows are.",
    "RequestImportBody.name": "What the file is called; its ending is no matter, the format is told by what is in it.",
    "size": "In bytes, exactly; at most 1 GB.",
    "content_type": "What the upload will be sent as.",
    "RequestImportBody.site": "Whose rows they are, where that is not the key's own site.",
    "options": "What a sidecar would say. `docs/contact-files.md` explains each.",
    "mapping": "By column: what it becomes; null leaves it out.",
    "delimiter": "Without it, it is found out.",
    "encoding": "Without it, it is found out.",
    "sheet": "Of a workbook; without it, the first.",
    "locale": "BCP 47 tag: how dates and numbers are written.",
    "country": "ISO 3166: of phones that are written without one.",
    "types": "By column that becomes an attribute: how it is kept; without it, as text.",
    "rules": "By column, `*` for all: whether it takes the place of what is known.",
    "empty": "What an empty cell does to what is known.",
    "dry_run": "Decide everything and write nothing.",
    "tags": "Tags that every customer of the file gets.",
    "SidecarBody.site": "Whose rows they are.",
    "SidecarBody.at": "When all this was so; without it, the time of the upload. The newer stays.",
    "automations": "Whether what changes may trigger something.",
    "consent": "What everybody in the file agreed to.",
    "SidecarConsentBody.state": "Without it, what the columns say.",
    "SidecarConsentBody.at": "When they said so.",
    "SidecarConsentBody.source": "Where they said so.",
    "PutCampaignBody.name": "What colleagues call it.",
    "PutCampaignBody.site": "In whose name it is sent, by whose clock and quiet hours; without it, the key's.",
    "PutCampaignBody.topic": "What its receivers have consented to be told of.",
    "audience": "Who is to get it.",
    "include": "A rule, as segments have.",
    "exclude": "A rule: those for whom it holds get nothing, and are not in the control group, either.",
    "messages": "One for all, or several, each for a segment; whoever is in several gets the first of them.",
    "CampaignMessageBody.name": "What reports call it.",
    "CampaignMessageBody.segment": "For whom it is; without it, for all who are left.",
    "treatments": "Several try out what works better; one is usual.",
    "TreatmentBody.name": "What reports call it.",
    "TreatmentBody.template": "The name of a marketing template.",
    "TreatmentBody.weight": "Its part of all is as large as this is of the sum of the weights.",
    "TreatmentBody.data": "What the template finds under `data`; of all treatments at most 16 KB.",
    "schedule": "When it is sent; without it, once, as soon as it is launched.",
    "ScheduleBody.day": "The first day.",
    "ScheduleBody.at": "The time of day, HH:MM.",
    "every": "On which days it comes again; without it, only on the first.",
    "ScheduleBody.until": "The last day.",
    "local": "At this time where each recipient is, by their own time zone, else the site's.",
    "unit": "What `days` are counted in.",
    "EveryBody.days": "Of the week, Monday is 1; of the month, the last is -1; of `day` none.",
    "PutCampaignBody.window": "Mails wait until it begins; without it, only for the end of the site's quiet hours.",
    "SendingWindowBody.start": "When it begins, HH:MM.",
    "SendingWindowBody.end": "When it ends, HH:MM.",
    "expires_after_hours": "After which a mail that still waits is not sent any more.",
    "priority": "Whose turn it is where a person may not get all: the higher one's.",
    "rate_per_minute": "The most mails a minute; without it, as fast as the account may.",
    "control_percent": "The part of those who could get it that is held out, so that its effect can be told.",
    "PutCampaignBody.salt": "Goes into the hash that assigns people; without it, the campaign's name.",
    "pilot": "Tries the treatments on a part first.",
    "PilotBody.percent": "The part of those who are not held out.",
    "wait_minutes": "From when the run begins until it is decided.",
    "metric": "What is compared: the share of recipients who click, or order.",
    "minimum": "Recipients that each treatment needs to have.",
    "otherwise": "What the others get where no treatment is clearly better: all of them by their weights, or nothing.",
    "attribution_days": "For how long after their mail an order counts for it.",
    "costs": "What it costs, for its report.",
    "CostsBody.currency": "Of the amounts.",
    "fixed": "Of each run.",
    "per_message": "Of each mail that is accepted; it may be a part of the smallest coin.",
    "PutSegmentBody.name": "What colleagues call it.",
    "PutSegmentBody.description": "Who is in it, in a sentence.",
    "rule": "Who is in it. `docs/segments.md` explains each condition.",
    "as_of": "A day, as the company's time zone has it: who would have been in it in that night, of the last 29.",
    "archived": "Whether it is put away: nobody is in it, and no rule may name it.",
    "and": "All of them hold.",
    "or": "One of them holds, or several.",
    "not": "It does not hold.",
    "profile": "What is known of the customer.",
    "stats": "What is counted of the customer.",
    "predicted": "What is expected of the customer.",
    "RuleBody.event": "What they did.",
    "order": "What they ordered.",
    "segment": "That they are in another segment.",
    "RuleBody.consent": "What they agreed to.",
    "anniversary": "That a day comes round again.",
    "sample": "A part of all customers, by chance, and always the same one.",
    "id": "The segment's name.",
    "path": "The name of an attribute or a property, with a point before each inner one.",
    "AnniversaryConditionBody.path": "The name of an attribute that is a date, `first_order_at` or `last_order_at`.",
    "within_days": "Today is 0.",
    "AnniversaryConditionBody.direction": "Whether it is to come, or was.",
    "op": "How it is compared.",
    "StatsConditionBody.field": "What is counted. Days are those of the company's time zone.",
    "StatsConditionBody.currency": "Of an amount or of a score; needed there.",
    "PredictedConditionBody.field": "What is expected.",
    "PredictedConditionBody.currency": "In which it is expected.",
    "EventConditionBody.name": "As it was tracked, such as `Product Added`.",
    "measure": "`count` says how often; all others measure `of`.",
    "EventConditionBody.of": "The path of the property that is measured.",
    "OrderConditionBody.of": "What of each order is measured.",
    "OrderConditionBody.currency": "Only orders in this currency; needed for net revenue.",
    "window": "When it happened.",
    "EventConditionBody.where": "Only events of which all of this holds.",
    "OrderConditionBody.where": "Only orders of which all of this holds; what is said of lines, of one and the same line.",
    "OrderFilterBody.field": "Of the order, or of one of its lines.",
    "ConsentConditionBody.state": "What holds for the address at which the customer is reached now.",
    "last": "The time up to now.",
    "days": "Of 24 hours each.",
    "hours": "Up to now.",
    "between": "The first and the last day, both of them in it.",
    "before": "Before this day.",
    "after": "After this day.",
    "ever": "Always true.",
    "percent": "Of 100 customers; four decimals at most.",
    "salt": "Another salt chooses others.",
}
"""Descriptions of what is sent, by `field` or, where it means something of its own there, by `Schema.field`."""

ANSWERS = {
    "userId": "The site's own id of the customer. This or anonymousId is needed.",
    "anonymousId": "The id of a browser or device.",
    "messageId": "Names the call: the same again, with the same timestamp, changes nothing.",
    "timestamp": "When it happened, by the sender's clock.",
    "sentAt": "When it was sent, by the same clock: so a wrong clock is told.",
    "previousId": "The anonymous id.",
    "groupId": "The site's own id of the group.",
    "batch": "Each call has a `type`; one that is refused does not stop the others.",
    "success": "Whatever is kept: it is answered in `errors` where something is not.",
    "last_seen_at": "Of behaviour, by the sender's clock.",
    "visits": "By UTC day: a pause of more than 30 minutes begins another.",
    "events": "By name.",
    "has_more_events": "Whether there are named events that have no room here: `?event=` asks for one.",
    "claimed": "Whether only a write key says so, which anybody can have.",
    "CustomerBody.email": "Where they are reached: the address that was stated last.",
    "KeptCustomerBody.email": "Where they are reached: the address that was stated last.",
    "CustomerBody.phone": "Where they are reached: the number that was stated last.",
    "KeptCustomerBody.phone": "Where they are reached: the number that was stated last.",
    "merged": "The ids of those who were made one with this customer.",
    "not_taken": "Kinds of the identifiers sent that this customer did not get, because somebody else has them.",
    "provenance": "By name: where each attribute comes from, language and time zone too.",
    "ProvenanceBody.at": "The time of the fact.",
    "ProvenanceBody.type": "string, number, boolean, date, list or object.",
    "counts": "What it did until now, by name.",
    "files": "Of an export, for seven days.",
    "kind": "What it does.",
    "receipt": "Of an erasure that is done.",
    "rows": "Rows in the file.",
    "bytes": "Its size.",
    "JobBody.state": "queued, running, done or failed.",
    "JobBody.error": "Why it failed.",
    "JobFileBody.url": "Good for a quarter of an hour; null in lists, and when the file has expired.",
    "exports_expire_by": "When no file of an export of many people can hold the person any more.",
    "imports_expire_by": "When no contact file that was imported can hold the person any more.",
    "nights_expire_by": "When no copy of statistics that a night went by can hold the person any more.",
    "backups_expire_by": "When the table cannot be restored any more to a moment before the erasure.",
    "logs_expire_by": "When logs from before are gone; they hold ids only.",
    "notices_expire_by": "When the mail provider's notices that could not be taken down are gone; there are none as a rule.",
    "code": "Stable, for programs.",
    "correlation_id": "Names the request in our logs.",
    "currencies": "By ISO 4217 code.",
    "CurrencyStatisticsBody.cancelled": "The part of gross that was cancelled.",
    "CurrencyStatisticsBody.refunded": "All money paid back.",
    "CurrencyStatisticsBody.orders": "Orders that are not wholly cancelled.",
    "customer_id": "Ours; it says nothing of the person.",
    "detail": "For people.",
    "errors": "What is wrong, place by place.",
    "first_order_at": "Of the orders that are not wholly cancelled.",
    "gross": "Lines after all discounts, without tax and shipping.",
    "history": "Every event, by the time at which it happened.",
    "items": "Pieces bought and not cancelled.",
    "last_order_at": "Of the orders that are not wholly cancelled.",
    "mean_order_value": "Net revenue by orders.",
    "needs_attention": "Contradictions among the facts; one goes away when the missing fact arrives.",
    "net_revenue": "Lines after all discounts, without tax and shipping, minus what was cancelled or refunded.",
    "next_cursor": "For the next page; null on the last.",
    "pointer": "JSON pointer into the body, or `?name` of a query parameter.",
    "source": "Who said so: `api:` and the id of the key.",
    "status": "Where the order stands.",
    "ProblemBody.status": "The HTTP status.",
    "BatchResultBody.status": "What the single call would have answered.",
    "BatchResultBody.error": "From status 400 on.",
    "BatchResultBody.index": "Which element, from 0.",
    "version": "1 when placed, one more with each event.",
    "LinkBody.url": "Whoever has it sees the order's status, lines and parcels, and nothing of who the customer is.",
    "SiteBody.version": "As in the ETag.",
    "TopicBody.version": "As in the ETag.",
    "state": "What the person said last that counts: granted, denied or pending.",
    "effective": "What holds now: a grant waits where the address is a new one, and falls where it is suppressed.",
    "since": "From when on it counts.",
    "suppressed": "Those of the customer's addresses that nothing may be sent to.",
    "grounds": "Why nothing may be sent to it; empty where it is not suppressed.",
    "is_suppressed": "Whether nothing may be sent to it.",
    "lifted_at": "The time of the latest proof that the person wants to be written to.",
    "ProductBody.updated_at": "The time of the latest fact.",
    "message_id": "Names the message.",
    "TemplateBody.partials": "The versions of the partials that it includes, as they were when it was saved.",
    "TemplateSavedBody.partials": "The versions of the partials that it includes, as they are now.",
    "TestSendBody.subject": "As it was sent, with its mark.",
    "TestSendBody.warnings": "As a preview tells them.",
    "TestSendBody.sent": "Mail by mail.",
    "TestSentBody.to": "The address.",
    "TestSentBody.outcome": "`accepted`, `refused`, `not_sent`, or `unknown`, where the provider's answer was lost.",
    "TestSentBody.reason": "The provider's own word, where it has not taken the mail.",
    "decided_at": "When it was decided.",
    "DecisionBody.status": "`postponed`, or the status in which the message ended.",
    "DecisionBody.reason": "Why, such as `quiet_hours`, `cap`, `frequency` or `paused`; null where the status says it.",
    "until": "Until when it waits.",
    "DecisionBody.message_id": "Names the message, or the run that it is an entry of.",
    "DecisionBody.template": "What would have been sent.",
    "held": "What is held from everybody for now.",
    "policy": "`transactional` or `marketing`.",
    "HeldBody.since": "Since when.",
    "HeldBody.reason": "Why, in the words of whoever paused it, or `not_armed`.",
    "used_by": "Of a partial: the version of it that each template includes, by the template's name.",
    "ready_made": "Whether it comes with the system, at version 0: nobody has written one of this name.",
    "direction": "ltr or rtl.",
    "TemplateSavedBody.warnings": "What an author should know and what hinders nothing.",
    "PreviewBody.warnings": "What an author should know: also values that were missing.",
    "line": "From 1, within the part that `pointer` names.",
    "size_bytes": "Of the HTML part; Gmail clips mails above 102 KB.",
    "TemplateBody.version": "As in the ETag.",
    "TemplateSavedBody.version": "As in the ETag.",
    "TemplateHeadBody.version": "One more with each PUT; 0 is ready-made.",
    "MessageBody.status": "planned, claimed (being handed over), unknown (in doubt), accepted (by the mail provider), then "
    "delivered, bounced, complained or rejected; or failed, suppressed, expired, cancelled, unknown_final (nobody can tell).",
    "MessageBody.reason": "Why it is not sent, or in doubt.",
    "attempts": "How often it was tried to hand it over; a doubt of a quarter of an hour brings a second one, never a third.",
    "MessageBody.expires_at": "When it is of no use any more, if it was not sent until then.",
    "settled_at": "When its status was decided.",
    "delivered_at": "When the customer's mail server took it.",
    "delayed_at": "When that server first put it off.",
    "bounced_at": "When that server refused it.",
    "bounce": "hard: there is no such mailbox; soft: not now; mail: not this mail.",
    "complained_at": "When the customer called it spam.",
    "rejected_at": "When the mail provider refused it after all.",
    "opened_at": "When it was first opened, by a person as far as one can tell.",
    "clicked_at": "When a link in it was first followed, by a person as far as one can tell.",
    "armed": "Whether this is the table that may send: a restored copy is not.",
    "PolicyStateBody.since": "Since when they wait.",
    "by": "Who said so.",
    "PolicyStateBody.reason": "Why.",
    "import_id": "Names the import.",
    "JobBody.import_id": "Of an undoing: what is undone.",
    "ImportBody.kind": "What its rows are.",
    "ImportBody.state": "awaiting_upload, queued, running, done, cancelled, failed or undone.",
    "ImportBody.name": "What the file is called.",
    "ImportBody.site": "Whose rows they are; null before the file was looked at, where nobody said it.",
    "ImportBody.dry_run": "Whether nothing is written.",
    "ImportBody.layout": "How it is written; null before the file was looked at.",
    "ImportBody.mapping": "By column: what it becomes; null where it is left out.",
    "ImportBody.warnings": "What is odd about columns.",
    "ImportBody.progress": "Null in lists.",
    "ImportBody.counts": "What became of its rows until now.",
    "ImportBody.errors": "The first ten rows that were rejected, by number.",
    "truncated": "Whether there are rows after the last that was read: it was cancelled, or could not be read on.",
    "same_as": "The import that had this very content: nothing was done.",
    "ImportBody.error": "Why the file could not be read, or not to its end.",
    "upload": "How to send the file; only in the answer that makes it.",
    "result": "What became of it, as a file of JSON; once it has ended, where it is read by itself.",
    "rejects": "The rejected rows, ready to be corrected and dropped again.",
    "undo_job_id": "The job that undid it.",
    "ImportFileBody.url": "Good for a quarter of an hour.",
    "UploadBody.url": "Where the form goes.",
    "fields": "The form's fields, to be sent as they are, the file after them.",
    "UploadBody.expires_at": "When the form is of no use any more.",
    "read": "Whether that is all of the file.",
    "ImportProgressBody.rows": "Rows that were read.",
    "RowCountsBody.rows": "All rows that were worked on.",
    "reasons": "By code, of rejected and skipped rows.",
    "RowCountsBody.warnings": "By code, of what was left aside in rows that were taken.",
    "row": "From 1, without the head.",
    "RowErrorBody.line": "The line where it begins; in a sheet, its row.",
    "column": "As the file calls it; null where it is the whole row.",
    "columns": "As the file calls them.",
    "JobBody.segment": "Of an export of its customers.",
    "JobBody.run_id": "Of an export of its audience.",
    "CampaignBody.version": "As in the ETag.",
    "CampaignVersionBody.version": "As in the ETag.",
    "CampaignHeadBody.version": "One more with each PUT.",
    "CampaignBody.state": "`validated` is a draft without problems. Once no occurrence is to come, that of its newest run.",
    "CampaignHeadBody.state": "`validated` is a draft without problems. Once no occurrence is to come, that of its newest run.",
    "CampaignBody.problems": "What hinders a draft from being launched, as far as what it names tells.",
    "CampaignHeadBody.problems": "What hinders a draft from being launched, as far as what it names tells.",
    "RunBody.reason": "Why it was skipped: `late`, `paused`, or the code of a problem that came after the launch.",
    "RunBody.scheduled_at": "Names the occurrence.",
    "RunBody.expires_at": "When the last of its mails is not sent any more.",
    "decide_at": "When its pilot is decided.",
    "verdicts": "By message, once the pilot is decided.",
    "RunBody.audience": "How many are in it; their statuses add up to it.",
    "RunBody.retry_of": "The run whose failed it is sent to.",
    "RunBody.retried_by": "The run that is sent to those whom it failed.",
    "SegmentBody.version": "As in the ETag.",
    "SegmentDetailsBody.version": "As in the ETag.",
    "SegmentHeadBody.version": "One more with each PUT; 0 is ready-made.",
    "SegmentNightBody.version": "Of the rule that the night went by.",
    "CountedSegmentBody.version": "Of the rule that the night went by.",
    "ExplainedSegmentBody.version": "Of the rule.",
    "SegmentHeadBody.size": "Customers in it in that night; null where it was not counted.",
    "SegmentDetailsBody.size": "Customers in it in that night; null where it was not counted.",
    "night": "The day of the last night that was published, in the company's time zone; null before the first one.",
    "NightBody.night": "The day, in the company's time zone.",
    "ReportBody.night": "The day, in the company's time zone.",
    "ReportHeadBody.night": "The day, in the company's time zone.",
    "NightHeadBody.night": "The day, in the company's time zone.",
    "SegmentNightBody.night": "The day, in the company's time zone.",
    "NightBody.state": "planned, published, skipped or failed.",
    "NightHeadBody.state": "planned, published, skipped or failed.",
    "ReasonBody.pointer": "JSON pointer into the rule.",
    "ReasonBody.holds": "Whether the condition is true; null where that is not known.",
    "exact": "Whether everybody was looked at, and nobody is undecided.",
    "undecided": "Customers of whom the files of that night do not tell; `count` is without them. 0 without `as_of`.",
    "member": "Whether they are in it now.",
    "CustomersStatisticsBody.orders": "Orders that are not wholly cancelled.",
    "lifecycle": "prospect, new, active, loyal, at_risk, lost or won_back; null before the first night.",
    "rfm": "By currency.",
    "predictions": "By currency in which they have bought; empty before the first night.",
    "p_alive": "The probability that they are still a customer, 0 to 1.",
    "next_order_on": "By when an order is as likely as not; null where that is years away.",
    "weak": "Too few buyers in this currency for a model of their own.",
    "models": "By currency.",
    "failure": "Why the last fit came to nothing; null where it did not.",
    "gamma": "In whole units of the currency.",
    "alpha_days": "In days.",
    "value_horizon_days": "How far lifetime value looks ahead.",
    "discount_percent": "By how much a year lifetime value is discounted.",
}
"""Descriptions of what is answered, in the same way; what its name says is left to the name."""

QUERY = {
    "site": "Another site than the key's own, where the key reaches it.",
    "status": "Only orders in this status.",
    "from": "First UTC day on which they were placed.",
    "to": "Last UTC day; at most 31 days in all. Without both, the last seven days.",
    "limit": "Items on a page.",
    "cursor": "The `next_cursor` of the page before; the other parameters must be as they were.",
    "type": "Only events of these types, divided by commas; `order.*` is all that begin with `order.`.",
    "TimelineQuery.from": "First UTC day.",
    "TimelineQuery.to": "Last UTC day.",
    "event": "Only what is counted of the event of this name.",
    "sku": "Only the product of this sku, which a path may not be able to name.",
}

_ORDER = {
    "order_id": "A-1001",
    "placed_at": "2026-11-20T18:03:11Z",
    "currency": "EUR",
    "customer": {"user_id": "u-77", "email": "sara@example.com", "phone": "+989121234567"},
    "lines": [
        {"sku": "CD-5", "name": "Blue", "quantity": 2, "unit_price": "12.50", "discount": "2.00", "category": "jazz"},
    ],
    "shipping": "4.90",
    "tax": "4.37",
    "total": "32.27",
    "coupon": "AUTUMN",
}
_TAXED = {
    "order_id": "A-1002",
    "placed_at": "2026-11-20T19:00:00Z",
    "currency": "EUR",
    "customer": {"email": "info@example.com"},
    "lines": [{"sku": "LP-1", "name": "Hejira", "quantity": 1, "unit_price": "23.80"}],
    "tax": "3.80",
    "tax_included": True,
    "total": "23.80",
}
_EVENTS: dict[str, dict[str, Any]] = {
    "paid": {"type": "paid", "occurred_at": "2026-11-20T18:04:00Z", "event_id": "pay-1"},
    "packed": {"type": "packed", "occurred_at": "2026-11-20T20:00:00Z"},
    "shipped": {
        "type": "shipped",
        "occurred_at": "2026-11-21T08:00:00Z",
        "event_id": "parcel-1-left",
        "shipment_id": "parcel-1",
        "carrier": "DHL",
        "tracking_number": "00340434161094027318",
        "tracking_url": "https://tracking.example.com/00340434161094027318",
        "estimated_on": "2026-11-24",
        "lines": [{"line_id": "1", "quantity": 1}],
    },
    "shipment_updated": {
        "type": "shipment_updated",
        "occurred_at": "2026-11-21T09:00:00Z",
        "shipment_id": "parcel-1",
        "state": "out_for_delivery",
    },
    "delivered": {"type": "delivered", "occurred_at": "2026-11-21T10:00:00Z", "shipment_id": "parcel-1"},
    "amended": {
        "type": "amended",
        "occurred_at": "2026-11-20T18:30:00Z",
        "lines": [{"sku": "CD-5", "name": "Blue", "quantity": 3, "unit_price": "12.50", "discount": "2.00"}],
        "shipping": "4.90",
        "tax": "6.37",
        "total": "46.77",
        "reason": "one more, by telephone",
    },
    "cancelled": {
        "type": "cancelled",
        "occurred_at": "2026-11-20T19:00:00Z",
        "lines": [{"line_id": "1", "quantity": 1}],
        "reason": "out of stock",
    },
    "refunded": {"type": "refunded", "occurred_at": "2026-11-21T11:00:00Z", "amount": "11.50", "reason": "scratched"},
    "returned": {"type": "returned", "occurred_at": "2026-11-21T11:30:00Z", "lines": [{"line_id": "1", "quantity": 1}]},
}
_SITE = {
    "brand": "Blue Note",
    "languages": ["de", "en"],
    "time_zone": "Europe/Berlin",
    "currency": "EUR",
    "sender": "hello@example.com",
    "reply_to": "service@example.com",
    "postal_address": "Blue Note GmbH, Ringstraße 1, 10115 Berlin",
    "url": "https://shop.example.com",
    "logo_url": "https://shop.example.com/logo.png",
    "accent": "#0a5a8a",
    "test_recipients": ["mira@example.com"],
}

_CONTACT = {
    "channel": "call",
    "direction": "inbound",
    "text": "Asks when the second parcel comes. Told her: on Tuesday.",
    "subject": "second parcel",
    "author": {"role": "agent", "name": "Team Berlin"},
    "occurred_at": "2026-11-21T09:30:00Z",
    "contact_id": "call-4711",
    "order_id": "A-1001",
}
_RUN = "5f0c2d7e91ab4c36a8d1e6f7b2039c44"
_OTHER = "019a1f3c5d2e7b8a9c0d1e2f3a4b5c6d"
_PROFILE = {
    "user_id": "u-77",
    "email": "sara@example.com",
    "traits": {
        "first_name": "Sara",
        "birthday": "1987-02-28",
        "address": {"city": "Berlin", "country": "DE"},
        "likes": ["jazz", "folk"],
        "acquisition": {"source": "google", "medium": "cpc", "cost": {"amount": "0.85", "currency": "EUR"}},
    },
    "language": "de",
    "time_zone": "Europe/Berlin",
    "consents": [{"channel": "email", "topic": "news", "state": "granted", "at": "2026-11-20T18:03:11Z", "method": "form"}],
    "occurred_at": "2026-11-20T18:03:11Z",
}
_PRODUCT = {
    "name": "Blue",
    "category": "jazz",
    "brand": "Reprise",
    "price": {"amount": "12.50", "currency": "EUR"},
    "image_url": "https://shop.example.com/images/cd-5.jpg",
    "url": "https://shop.example.com/cd-5",
    "stock": 12,
    "available": True,
    "replenishment_days": 90,
    "translations": {"fa": {"name": "آبی", "url": "https://shop.example.com/fa/cd-5"}},
    "updated_at": "2026-11-20T18:00:00Z",
}

_CONSENTS = [
    {"channel": "email", "topic": "news", "state": "granted", "at": "2026-11-20T18:03:11Z", "source": "footer", "method": "form"},
    {
        "channel": "email",
        "topic": "news",
        "state": "granted",
        "at": "2026-11-20T18:10:42Z",
        "source": "footer",
        "method": "double_opt_in",
        "text_version": "news-2026-10",
        "proof": {"kind": "double_opt_in", "confirmed_at": "2026-11-20T18:10:42Z", "reference": "<7f3a@example.com>"},
    },
    {"channel": "sms", "topic": "news", "state": "denied", "at": "2026-11-20T18:03:11Z"},
]
_BOUNCE = {
    "channel": "email",
    "address": "gone@example.com",
    "reason": "hard_bounce",
    "at": "2026-11-20T18:00:00Z",
    "note": "550 5.1.1 no such user",
}

_TEMPLATE = {
    "purpose": "transactional",
    "variants": {
        "en": {
            "subject": "Your order {{ order.order_id }}",
            "preheader": "We have it, and pack it now.",
            "html": "<h1>Thank you, {{ customer.first_name | default: 'friend' }}</h1><p>{{ site.brand }}</p>",
        },
        "fa": {"subject": "سفارش {{ order.order_id }}", "html": "<h1>سپاس از شما</h1><p>{{ site.brand }}</p>"},
    },
}

_RULE: dict[str, Any] = {
    "or": [
        {"stats": {"field": "orders", "op": ">=", "value": 1}},
        {"event": {"name": "Product Added", "window": {"last": {"days": 7}}, "op": ">=", "value": 1}},
    ]
}
_SEGMENT = {"name": "Warm", "description": "Bought, or put something into the cart in the last week.", "rule": _RULE}

_CAMPAIGN = {
    "name": "We miss you",
    "topic": "news",
    "audience": {"include": {"stats": {"field": "orders", "op": ">=", "value": 1}}},
    "messages": [
        {
            "name": "comeback",
            "treatments": [
                {"name": "plain", "template": "we-miss-you"},
                {"name": "voucher", "template": "we-miss-you", "data": {"coupon": "COMEBACK"}},
            ],
        }
    ],
    "window": {"start": "09:00", "end": "19:00"},
    "expires_after_hours": 48,
    "pilot": {"percent": 20, "wait_minutes": 240},
    "costs": {"currency": "EUR", "fixed": "50.00", "per_message": "0.0001"},
}

_CALL = {"userId": "u-77", "messageId": "ajs-1", "timestamp": "2026-11-20T18:00:00Z"}

EXAMPLES: dict[str, dict[str, Any]] = {
    "identify": {"traits": _CALL | {"anonymousId": "browser-1", "traits": {"plan": "gold"}}},
    "track": {"a product": _CALL | {"event": "Product Viewed", "properties": {"product_id": "CD-5", "price": 12.5}}},
    "page": {"a page": _CALL | {"name": "Home", "properties": {"url": "https://shop.example.com/"}}},
    "screen": {"a screen": _CALL | {"name": "Start"}},
    "group": {"an account": _CALL | {"groupId": "club", "traits": {"name": "The Club"}}},
    "alias": {"a browser": _CALL | {"previousId": "browser-2"}},
    "batch": {
        "two calls": {
            "batch": [
                _CALL | {"type": "page", "messageId": "ajs-2", "name": "Cart"},
                _CALL | {"type": "track", "messageId": "ajs-3", "event": "Product Added", "properties": {"product_id": "CD-5"}},
            ],
            "sentAt": "2026-11-20T18:00:01Z",
        }
    },
    "export_orders": {"a sheet": {"format": "csv"}},
    "export_customers": {"lines of JSON": {"format": "ndjson"}},
    "put_topic": {
        "topic": {
            "names": {"de": "Neuigkeiten", "en": "News", "fa": "خبرنامه"},
            "descriptions": {"en": "New records, at most once a week."},
            "double_opt_in": True,
            "channels": ["email", "sms"],
        }
    },
    "place_order": {"order": _ORDER, "tax included": _TAXED},
    "place_orders": {"orders": {"orders": [_ORDER, _TAXED]}},
    "record_event": _EVENTS,
    "record_events": {
        "events": {"events": [{"order_id": "A-1001", **_EVENTS["paid"]}, {"order_id": "A-1002", **_EVENTS["packed"]}]}
    },
    "change_consents": {"double opt-in": {"consents": _CONSENTS}, "a no": {"consents": _CONSENTS[2:]}},
    "suppress_address": {"hard bounce": _BOUNCE},
    "look_up_suppression": {"e-mail": {"channel": "email", "address": "gone@example.com"}},
    "lift_suppression": {
        "confirmed again": {
            "channel": "email",
            "address": "gone@example.com",
            "proof": {"kind": "double_opt_in", "confirmed_at": "2026-11-21T09:30:00Z"},
        }
    },
    "put_customer": {"profile": _PROFILE, "another address": {"user_id": "u-77", "email": "sara.ahmadi@example.com"}},
    "update_customer": {"a trait, one less, and a phone": {"traits": {"plan": "gold", "likes": None}, "phone": "+989121234567"}},
    "find_customers": {"e-mail": {"email": "sara@example.com"}},
    "make_campaign_report_link": {"reader's language": {}, "Persian": {"language": "fa"}},
    "make_report_link": {"reader's language": {}, "Persian": {"language": "fa"}},
    "make_link": {"customer's language": {"language": "fa"}, "browser's language": {}},
    "find_orders": {"e-mail": {"email": "sara@example.com"}, "user id": {"user_id": "u-77", "limit": 10}},
    "put_site": {"site": _SITE},
    "record_contact": {"call": _CONTACT},
    "put_product": {"product": _PRODUCT, "stock": {"stock": 11, "updated_at": "2026-11-20T18:05:00Z"}},
    "put_named_product": {"a sku with a slash": {"sku": "LP/1", "name": "Hejira"}},
    "put_products": {"products": {"products": [{"sku": "CD-5", **_PRODUCT}, {"sku": "LP-1", "name": "Hejira", "stock": None}]}},
    "merge_customers": {"another customer": {"customer_id": _OTHER}},
    "unmerge_customers": {"the same": {"customer_id": _OTHER}},
    "put_template": {"order confirmed": _TEMPLATE},
    "preview_template": {
        "as it would be sent": {"name": "order-confirmed", "language": "en"},
        "a draft": {"template": _TEMPLATE},
    },
    "send_test": {
        "to a colleague": {"to": ["mira@example.com"], "language": "en", "customer": {"first_name": "Sara"}},
    },
    "put_segment": {"bought or about to": _SEGMENT},
    "put_campaign": {
        "a pilot, at once": _CAMPAIGN,
        "every Monday, where each recipient is": {
            "name": "Monday's news",
            "topic": "news",
            "audience": {"include": {"consent": {"channel": "email", "topic": "news"}}},
            "messages": [{"name": "news", "treatments": [{"name": "all", "template": "newsletter"}]}],
            "schedule": {"day": "2026-11-23", "at": "09:30", "every": {"unit": "week", "days": [1]}, "local": True},
        },
    },
    "export_recipients": {"a sheet": {"format": "csv"}},
    "export_segment": {"a sheet": {"format": "csv"}},
    "preview_segment": {"never bought": {"rule": {"not": _RULE["or"][0]}}},
    "request_message": {
        "about an order": {"template": "order-confirmed", "customer": {"user_id": "u-77"}, "order_id": "A-1001"},
        "with data of its own": {
            "template": "confirm-address",
            "customer": {"email": "sara@example.com"},
            "data": {"plan": "gold"},
        },
    },
    "put_sending": {
        "pause": {"marketing": {"paused": True, "reason": "wrong prices in the autumn mail"}},
        "resume": {"marketing": {"paused": False}},
    },
    "find_order": {"an order": {"order_id": "A-1001", "email": "sara@example.com", "site": "de"}},
    "subscribe": {
        "the newsletter": {"email": "lena@example.com", "topics": ["news"]},
        "in Persian, with the words that were shown": {
            "email": "reza@example.com",
            "topics": ["news"],
            "language": "fa",
            "text_version": "footer/3",
            "writeKey": "ecrm_write_0123456789abcdef0123456789abcdef01234567",
        },
    },
    "request_import": {
        "contacts": {"kind": "contacts", "name": "customers.csv", "size": 48213, "content_type": "text/csv"},
        "a trial, of German contacts": {
            "kind": "contacts",
            "name": "kunden.xlsx",
            "size": 81920,
            "options": {"dry_run": True, "locale": "de-DE", "country": "DE", "rules": {"*": "fill_if_empty"}},
        },
    },
}
"""Bodies by operation; sent in this order to a shop that has the site `de`, each is answered with 2xx."""

_NOW = datetime(2026, 11, 20, 18, 3, 12, tzinfo=UTC)
_CUSTOMER = "019aa2c6f0b07d3e8c1f5a9b2d4e6f80"
_IMPORT = "019aa2c6f0b07d3e8c1f5a9b2d4e6f81"


def answer_examples() -> dict[str, Any]:
    """Make an answer for each operation, through the contracts and the domain, as the functions do."""
    body = orders.PlaceOrderBody.model_validate(_ORDER)
    command = body.to_command("de", digest="", source="api:3f9d01c2ab47")
    placed = domain.Order(
        site=command.site,
        order_id=command.order_id,
        customer_id=_CUSTOMER,
        currency=command.currency,
        placed_at=command.placed_at,
        terms=command.terms,
        coupon=command.coupon,
    )
    order = placed
    for kind, shape in (("paid", orders.PaidBody), ("shipped", orders.ShippedBody)):
        event = shape.model_validate(_EVENTS[kind]).to_command("de", "A-1001", digest="", source="")
        order = replace(order, facts=(*order.facts, event.draft("EUR").fact))
    view = OrderView(order, domain.fold(order), command.lines)
    orders_page = orders.OrdersPage(data=[orders.OrderStateBody.of(view)], next_cursor=None)
    site = sites.SiteBody.of(sites.PutSiteBody.model_validate(_SITE).to_site("de", _NOW))
    paid = order.facts[0]
    happened = Event(
        id=domain.event_id(order, paid),
        type="order.paid",
        occurred_at=paid.occurred_at,
        received_at=_NOW,
        site="de",
        customer_id=_CUSTOMER,
        source=command.source,
        data={"order_id": "A-1001", "currency": "EUR", "event_id": paid.event_id},
    )
    postponed = Event(
        id="message:019aa2c7d1e07a3e9b1f5a9b2d4e6f81:postponed",
        type="message.postponed",
        occurred_at=_NOW,
        received_at=_NOW,
        site="de",
        customer_id=_CUSTOMER,
        source="system",
        data={
            "run_id": "019aa2c7d1e07a3e9b1f5a9b2d4e6f81",
            "template": "newsletter",
            "reason": "quiet_hours",
            "until": to_text(_NOW + timedelta(hours=9)),
        },
    )
    made: dict[str, BaseModel] = {
        "place_order": orders.OrderBody.of(OrderView(placed, domain.fold(placed), command.lines)),
        "read_order": orders.OrderBody.of(view),
        "record_event": orders.OrderStateBody.of(view),
        "make_link": links.LinkBody(
            url="https://orders.example.com/public/orders/GwbcC1ELlAXnZu6FHsdFTDEAMQBvcmRlcgBkZQBBLTEwMDEAZmE"
        ),
        "list_orders": orders_page,
        "list_customers_orders": orders_page,
        "find_orders": orders_page,
        "place_orders": _batch(version=1),
        "record_events": _batch(version=2),
        "read_customer": profiles.CustomerBody.of(Profile(Customer(_CUSTOMER, command.identifiers, _NOW), {})),
        "read_stats": CustomersStatisticsBody.with_night(
            _CUSTOMER,
            statistics.count([order], lambda _site: time_zone(site.time_zone)),
            use_segments.LastNight(_NOW.date(), _thresholds(), _scores(), ("warm",)),
        ),
        "read_timeline": customers.TimelinePage(data=[customers.TimelineEventBody.of(happened)], next_cursor=None),
        "read_decisions": decisions.DecisionsPage(
            data=[decisions.DecisionBody.of(postponed)],
            held=[decisions.HeldBody(policy="marketing", since=to_answer(_NOW), reason="wrong prices in the autumn mail")],
            campaigns=[
                decisions.CampaignDecisionBody(
                    decided_at=to_answer(_NOW),
                    status="held_out",
                    reason=None,
                    campaign="spring",
                    message_id="9aac5eebfb474961977c51c60e3849e4",
                    template="newsletter",
                    site="de",
                )
            ],
            next_cursor=None,
        ),
        "list_sites": sites.SitesPage(data=[site], next_cursor=None),
        "read_site": site,
        "put_site": site,
    }
    topic = topics.TopicBody.of(topics.PutTopicBody.model_validate(EXAMPLES["put_topic"]["topic"]).to_topic("news", _NOW))
    made |= {
        "list_topics": topics.TopicsPage(data=[topic], next_cursor=None),
        "read_topic": topic,
        "put_topic": topic,
        **_suppressions(),
    }
    made |= dict.fromkeys(("read_consents", "change_consents"), _consents())
    made |= _jobs()
    made |= _profiles()
    contact = contacts.RecordContactBody.model_validate(_CONTACT).to_command(_CUSTOMER, "de", digest="", source="")
    product = _product()
    made |= {
        "record_contact": contacts.ContactBody.of(contact, _CUSTOMER),
        "put_product": product,
        "put_named_product": product.model_copy(update={"sku": "LP/1"}),
        "read_product": product,
        "list_products": products.ProductsPage(data=[product], next_cursor=None),
        "put_products": products.ProductsBatchBody.of(
            [products.ProductResultBody(index=at, status=201, sku=sku) for at, sku in enumerate(("CD-5", "LP-1"))]
        ),
    }
    made |= _messages() | _imports() | _segments() | _reports() | _campaigns()
    return {name: answer.model_dump(mode="json") for name, answer in made.items()} | _behaviour()


def _messages() -> dict[str, BaseModel]:
    asked = Send(
        run_id="019aa2c7d1e07a3e9b1f5a9b2d4e6f81",
        shard=0,
        customer_id=_CUSTOMER,
        policy=Policy.TRANSACTIONAL,
        site="de",
        template="order-confirmed",
        planned_at=_NOW,
        requested_at=_NOW,
        expires_at=_NOW + KEPT_FOR,
    )
    accepted = resolve(claim(asked, _NOW), 1, Accepted("0100019aa2c7d1e0-example"), _NOW)
    pause = Pause(_NOW, "api:3f9d01c2ab47", "wrong prices in the autumn mail")
    stopped = messages.SendingBody.of(Sending(paused={Policy.MARKETING: pause}), is_armed=True)
    stored = templates.PutTemplateBody.model_validate(_TEMPLATE).to_template("order-confirmed", _NOW)
    template = replace(stored, version=1)
    shown = templates.TemplateBody.of_template(template, {})
    tried = Rendered(
        subject="Your order A-1001",
        preheader="We have it, and pack it now.",
        html="<h1>Thank you, Sara</h1><p>Blue Note</p>",
        text="Thank you, Sara\n\nBlue Note",
    )
    return {
        "request_message": messages.MessageBody.of(asked),
        "read_message": messages.MessageBody.of(accepted),
        "read_sending": stopped,
        "put_sending": stopped,
        "find_order": messages.SoughtBody(),
        "subscribe": subscriptions.SubscribedBody(),
        "list_templates": templates.TemplatesPage(data=[templates.TemplateHeadBody.of(template.head)], next_cursor=None),
        "read_template": shown,
        "read_template_version": shown,
        "put_template": templates.TemplateSavedBody.of_saved(template, {}, ()),
        "preview_template": templates.PreviewBody.of(Preview("en", tried, ())),
        "send_test": templates.TestSendBody.of(Preview("en", tried, ()), (TestSent("mira@example.com", "accepted"),)),
    }


def _thresholds() -> NightThresholds:
    cuts = {"recency": (739_100, 739_400, 739_550, 739_570), "frequency": (2, 3), "monetary": (1_500, 4_000, 9_900, 25_000)}
    scale = RfmScale(*(Scale(cuts[measure]) for measure in ("recency", "frequency", "monetary")))
    check = Check(
        as_of=date(2026, 7, 31),
        until=_NOW.date(),
        purchasing_source=Source.OWN,
        spending_source=Source.OWN,
        customers=2_101,
        expected_orders=611.4,
        actual_orders=634,
        expected_value_minor=2_288_100,
        actual_value_minor=2_341_250,
        by_repeats=(
            CheckedRepeats(repeats=0, customers=1_260, expected_orders=164.2, actual_orders=171),
            CheckedRepeats(repeats=1, customers=841, expected_orders=447.2, actual_orders=463),
        ),
    )
    model = CurrencyModel(
        purchasing=Purchasing(r=0.525, alpha=43.3, a=0.891, b=1.614),
        spending=Spending(p=6.25, q=3.74, gamma=1_544.0),
        purchasing_source=Source.OWN,
        spending_source=Source.OWN,
        buyers=2_357,
        repeat_buyers=1_124,
        fitted_on=_NOW.date(),
        is_weak=False,
        check=check,
    )
    return NightThresholds(lifecycle=Thresholds(at_risk_days=143, lost_days=262), scales={"EUR": scale}, models={"EUR": model})


def _scores() -> Scores:
    expected = Prediction(
        p_alive=0.8467,
        orders_30=0.1204,
        orders_90=0.3381,
        orders_365=1.1472,
        value_minor=3_912,
        next_order_on=date(2027, 4, 2),
        is_weak=False,
    )
    return Scores({"EUR": Rfm(5, 4, 4, "champions")}, Stage.LOYAL, {"EUR": expected})


def _segments() -> dict[str, BaseModel]:
    stored = replace(segments.PutSegmentBody.model_validate(_SEGMENT).to_segment("warm", _NOW), version=1)
    night = Night(
        night=_NOW.date(),
        state=NightState.PUBLISHED,
        scheduled_at=_NOW,
        started_at=_NOW,
        generation=7,
        base=6,
        finished_at=_NOW,
        customers=2_357,
        from_facts=12,
        sizes={"warm": 412},
        entered={"warm": 9},
        left={"warm": 4},
        versions={"warm": 1},
        stages={Stage.PROSPECT: 981, Stage.NEW: 640, Stage.LOYAL: 736},
        moves={Stage.NEW: {Stage.NEW: 633, Stage.LOYAL: 7}},
        thresholds=_thresholds(),
    )
    view = use_segments.SegmentView(stored, 412, night.night)
    condition = StatsCondition(Field.ORDERS, Comparison(Op.AT_LEAST, 1))
    verdict = Verdict(truth=True, why=(Reason("/or/0/stats", condition, 3, truth=True),))
    explained = use_segments.Explained(_CUSTOMER, _NOW, night.night, _scores(), [(stored, verdict)])
    preview = use_segments.Preview(
        count=1_945,
        customers=2_357,
        from_facts=0,
        undecided=0,
        read=2_357,
        unreadable=0,
        is_exact=True,
        sample=[_CUSTOMER],
        night=night.night,
    )
    shown = segments.SegmentBody.of(stored)
    return {
        "put_segment": shown,
        "read_segment_version": shown,
        "read_segment": members.SegmentDetailsBody.of_details(use_segments.SegmentDetails(view, (night,), ())),
        "list_segments": members.SegmentsPage(data=[members.SegmentHeadBody.of(view)], next_cursor=None),
        "preview_segment": members.SegmentPreviewBody.of(preview),
        "list_members": members.MembersPage(data=[members.MemberBody(customer_id=_CUSTOMER)], next_cursor=None),
        "read_customers_segments": members.CustomersSegmentsBody.of(explained),
        "list_nights": nights.NightsPage(data=[nights.NightHeadBody.of(night)], next_cursor=None),
        "read_night": nights.NightBody.of_night(night),
    }


def _simulation(campaign: Campaign) -> simulations.SimulationBody:
    found = use_segments.Preview(
        count=1_945,
        customers=2_357,
        from_facts=0,
        undecided=0,
        read=2_357,
        unreadable=0,
        is_exact=True,
        sample=[_CUSTOMER],
        night=_NOW.date(),
    )
    mail = Rendered(subject="We miss you, Sara", preheader="", html="<p>We miss you, Sara.</p>", text="We miss you, Sara.")
    ends = (("planned", None, 1_615, 83), ("no_consent", None, 136, 7), ("held_out", None, 194, 10))
    simulation = Simulation(
        problems=(),
        audience=found,
        looked_at=100,
        ends=[Expected(*end) for end in ends],
        treatments=[
            Expected("comeback", None, 1_284, 66),
            Expected("comeback", "plain", 175, 9),
            Expected("comeback", "voucher", 156, 8),
        ],
        cost_minor=5_016,
        costs=campaign.costs,
        occurrences=(),
        effect=Effect(1_615, 194, 0.08, 0.0669),
        mails=[Sample(_CUSTOMER, "comeback", "plain", mail)],
    )
    return simulations.SimulationBody.of(simulation)


def _campaigns() -> dict[str, BaseModel]:
    campaign = campaigns.PutCampaignBody.model_validate(_CAMPAIGN).to_campaign("comeback", "de", _NOW)
    run = Run(
        run_id=_RUN,
        campaign="comeback",
        campaign_version=1,
        site="de",
        topic="news",
        messages=campaign.messages,
        scheduled_at=_NOW,
        started_at=_NOW,
        expires_at=_NOW + campaign.expires_after,
        expires_after=campaign.expires_after,
        pages=2,
        state=RunState.SETTLED,
        salt=campaign.salt,
        control_percent=campaign.control_percent,
        pilot=campaign.pilot,
        decide_at=_NOW + timedelta(hours=4),
        verdicts={"comeback": PilotVerdict("voucher", "better", (Tried("plain", 161, 6), Tried("voucher", 158, 19)))},
        window=campaign.window,
        costs=campaign.costs,
        planned_at=_NOW + timedelta(seconds=48),
        settled_at=_NOW + timedelta(hours=6),
        audience=1_945,
        books={"accepted": 1_603, "held_out": 181, "no_consent": 148, "suppressed": 12, "failed": 1},
    )
    launched = Life(state=LifeState.SCHEDULED, next_at=_NOW, launched_at=_NOW, launched_by="api:3f9d01c2ab47", revision=2)
    draft = campaigns.CampaignBody.of_view(CampaignView(Head(campaign), "validated"))
    ended = CampaignView(Head(campaign, replace(launched, state=LifeState.ENDED, next_at=None, last_run=_RUN)), "settled")
    retry = replace(
        run,
        run_id=retry_id(_RUN),
        state=RunState.PLANNING,
        retries=(_RUN,),
        pilot=None,
        decide_at=None,
        verdicts={},
        planned_at=None,
        settled_at=None,
        audience=None,
        books=None,
    )
    states = {"launch": "scheduled", "pause": "paused", "resume": "sending", "cancel": "cancelled"}
    return {
        "put_campaign": draft,
        "simulate_campaign": _simulation(campaign),
        "list_campaigns": campaigns.CampaignsPage(data=[campaigns.CampaignHeadBody.of_view(ended)], next_cursor=None),
        "read_campaign": campaigns.CampaignBody.of_view(ended),
        "read_campaign_version": campaigns.CampaignVersionBody.of(campaign),
        **{
            f"{turned}_campaign": campaigns.CampaignBody.of_view(CampaignView(Head(campaign, launched), state))
            for turned, state in states.items()
        },
        "list_campaign_runs": campaigns.RunsPage(data=[campaigns.RunBody.of(run)], next_cursor=None),
        "read_campaign_run": campaigns.RunBody.of(run),
        "retry_failed": campaigns.RunBody.of(retry),
        "retry_failed_of_run": campaigns.RunBody.of(retry),
    } | _campaign_reports(run)


def _campaign_reports(run: Run) -> dict[str, BaseModel]:
    plain, voucher = (Group("comeback", "treated", name, is_pilot=False) for name in ("plain", "voucher"))
    total = RosterTally(
        entries=1_945,
        groups={
            plain: Counter(entries=161, accepted=161, delivered=160, opened=52, clicked=8),
            voucher: Counter(entries=1_443, accepted=1_442, failed=1, delivered=1_428, bounced=14, opened=470, clicked=151),
            Group("comeback", "control", "", is_pilot=False): Counter(entries=181, held_out=181),
            Group("comeback", "", "", is_pilot=False): Counter(entries=160, no_consent=148, suppressed=12),
        },
        reasons={"no_consent": Counter(no_address=148), "suppressed": Counter(hard_bounce=12)},
        links={("comeback", "voucher"): Counter({"1a2b3c4d": 151})},
        hours={0: Counter(accepted=319, opened=40, clicked=11), 4: Counter(accepted=1_284, opened=482, clicked=148)},
    )
    report = CampaignReport(
        run=run,
        name="We miss you",
        time_zone="Europe/Berlin",
        as_of=_NOW + timedelta(hours=7),
        is_complete=True,
        total=total,
        shown={"1a2b3c4d": "https://shop.example.com/sale"},
    )
    made = MadeLink("sgkq0Pz1", datetime(2026, 12, 20, 18, 3, 12, tzinfo=UTC))
    url = f"https://shop.example.com/public/campaign-reports/{made.token}"
    return {
        "read_campaign_report": campaign_reports.CampaignReportBody.of(report),
        "read_run_report": campaign_reports.CampaignReportBody.of(report),
        "make_campaign_report_link": report_links.ReportLinkBody.of(made, url),
    }


def _reports() -> dict[str, BaseModel]:
    told = small_report(_NOW, _thresholds(), _scores())
    made = MadeLink("sgkq0Pz1", datetime(2026, 12, 20, 18, 3, 12, tzinfo=UTC))
    return {
        "list_reports": reports.ReportsPage(data=[reports.ReportHeadBody.of_night(told.night)], next_cursor=None),
        "read_nights_report": reports.ReportBody.of(told),
        "make_report_link": report_links.ReportLinkBody.of(made, f"https://shop.example.com/public/reports/{made.token}"),
    }


def _imports() -> dict[str, BaseModel]:
    name = upload_name(Kind.CONTACTS, _IMPORT, "customers.csv")
    waiting = Import(
        import_id=_IMPORT,
        kind=Kind.CONTACTS,
        name=name,
        state=ImportState.AWAITING_UPLOAD,
        requested_at=_NOW,
        source="api:3f9d01c2ab47",
        size=48_213,
        site="de",
    )
    columns = {"E-mail": "email", "Vorname": "first_name", "Lieblingsformat": "Lieblingsformat"}
    running = taken_up(
        queued(waiting, Drop(name, waiting.size, "4d1a25f4d4bd9f22b6a1ce7f8f7a1a3c", "0065F1A2B3C4D5E6F7", _NOW)),
        _NOW,
        layout=Layout(ContactFileFormat.CSV, tuple(columns), "windows-1252", ";"),
        plan=Plan(columns),
    )
    tally = Tally(created=612, updated=38, unchanged=348, rejected=1, skipped=1, reasons={"bad_email": 1, "superseded": 1})
    progress = Progress(
        rows=1_000, chunks=4, is_split=True, done=4, tally=tally, errors=(RowError(417, 418, "E-mail", "bad_email"),)
    )
    ended = finished(running, _NOW, tally)
    fields = {"key": name, "policy": "eyJleHBpcmF0aW9uIjog…", "x-amz-signature": "7f3a…"}
    upload = ("https://imports.example.com/", fields, _NOW)
    shown = uploads.ImportBody.of(ended, progress, link=lambda _: ("https://imports.example.com/…", _NOW))
    return {
        "request_import": uploads.ImportBody.of(waiting, upload=upload),
        "read_import": shown,
        "list_imports": uploads.ImportsPage(data=[uploads.ImportBody.of(ended)], next_cursor=None),
        "cancel_import": uploads.ImportBody.of(running),
    }


def _behaviour() -> dict[str, Any]:
    """What is not there is left out of these answers."""
    taken = behaviour.TakenBody().model_dump(exclude_none=True)
    segment = behaviour.SegmentIntegrationBody(
        api_key="ecrm_write_0123456789abcdef0123456789abcdef01234567", api_host="shop.example.com/v1", protocol="https"
    )
    settings = behaviour.BrowserSettingsBody(integrations=behaviour.IntegrationsBody(segment=segment))
    return {
        **dict.fromkeys(("identify", "track", "page", "screen", "group", "alias"), taken),
        "batch": behaviour.TakenBody(errors=[]).model_dump(exclude_none=True),
        "browser_settings": settings.model_dump(by_alias=True),
    }


def _profiles() -> dict[str, BaseModel]:
    command = profiles.PutCustomerBody.model_validate(_PROFILE).to_put("de", cause="", source="api:3f9d01c2ab47")
    said = {name: Attribute(value, command.at or _NOW, command.source) for name, value in command.attributes.items()}
    profile = Profile(Customer(_CUSTOMER, command.identifiers, _NOW), said)
    kept = profiles.KeptCustomerBody.of_kept(Kept(profile, Outcome.EXISTING))
    one = replace(profile, customer=replace(profile.customer, absorbed=(_OTHER,)))
    return {
        "put_customer": kept,
        "update_customer": kept,
        "find_customers": profiles.CustomersBody(data=[profiles.CustomerBody.of(profile)]),
        "merge_customers": profiles.CustomerBody.of(one),
        "unmerge_customers": profiles.CustomerBody.of(Profile(Customer(_OTHER, (), _NOW), {})),
    }


def _jobs() -> dict[str, BaseModel]:
    asked = {
        kind: Job(
            job_id="019aa2c7d1e07a3e9b1f5a9b2d4e6f80",
            kind=kind,
            requested_at=_NOW,
            source="api:3f9d01c2ab47",
            format=FileFormat.CSV if kind in (JobKind.EXPORT_ORDERS, JobKind.EXPORT_CUSTOMERS, JobKind.EXPORT_SEGMENT) else None,
            customer_id=_CUSTOMER if kind in (JobKind.EXPORT_CUSTOMER, JobKind.ERASE_CUSTOMER) else None,
            import_id=_IMPORT if kind is JobKind.UNDO_IMPORT else None,
            segment="warm" if kind is JobKind.EXPORT_SEGMENT else None,
        )
        for kind in JobKind
    }
    export = asked[JobKind.EXPORT_ORDERS]
    part = ExportFile(f"all/{export.job_id}/00001-2.csv", 2, 1815)
    counts = {"customers_counted": 2, "customers_written": 2, "unreadable": 0, "rows_written": 2}
    finished = done(progressed(started(export, _NOW), "", counts, (part,)), _NOW, {})
    shown = jobs.JobBody.of(finished, lambda _: ("https://exports.example.com/00001-2.csv?X-Amz-Signature=…", _NOW))
    return {str(kind): jobs.JobBody.of(job) for kind, job in asked.items()} | {
        "read_job": shown,
        "list_jobs": jobs.JobsPage(data=[jobs.JobBody.of(finished)], next_cursor=None),
    }


def _consents() -> consent.ConsentsBody:
    changes = [consent.ConsentBody.model_validate(said).to_change() for said in _CONSENTS]
    facts = [
        (
            change.subject,
            ConsentFact(
                state=change.state,
                at=change.at,
                source=change.source or "api:3f9d01c2ab47",
                method=change.method,
                text_version=change.text_version or "news/1",
                proof=change.proof,
            ),
        )
        for change in changes[1:]
    ]
    shown = tuple(ConsentView(subject, found, found.state) for subject, found in sorted(joined({}, facts).items()))
    return consent.ConsentsBody.of(ConsentsView(_CUSTOMER, shown, ()))


def _suppressions() -> dict[str, BaseModel]:
    command = suppressions.SuppressAddressBody.model_validate(_BOUNCE).to_command("api:3f9d01c2ab47")
    ground = Ground(since=command.at or _NOW, source=command.source, note=command.note)
    bounced = with_ground(Suppression(), command.reason, ground)
    found = suppressions.SuppressionBody.of(command.address, bounced, _NOW)
    said = suppressions.LiftSuppressionBody.model_validate(EXAMPLES["lift_suppression"]["confirmed again"])
    proof = said.proof.to_proof()
    lifted = with_lift(bounced, Lift(at=proof.confirmed_at, source=command.source, proof=proof))
    return {
        "suppress_address": found,
        "look_up_suppression": found,
        "lift_suppression": suppressions.SuppressionBody.of(command.address, lifted, _NOW),
    }


def _product() -> products.ProductBody:
    command = products.UpdateProductBody.model_validate(_PRODUCT).to_command("CD-5")
    at = command.at or _NOW
    return products.ProductBody.of(Product("CD-5", {field: Stated(value, at) for field, value in command.said.items()}, at))


def _batch(*, version: int) -> orders.BatchBody:
    results = [
        orders.BatchResultBody(index=at, status=201, order_id=order_id, customer_id=_CUSTOMER, version=version)
        for at, order_id in enumerate(("A-1001", "A-1002"))
    ]
    return orders.BatchBody(results=results, created=2, replayed=0, rejected=0)
