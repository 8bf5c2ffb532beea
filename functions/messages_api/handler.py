"""Woken by requests under /v1/messages and /v1/sending, and by sites' forms; leaves behind messages, and whether any are sent."""

from ecrm import bootstrap as wired
from ecrm.contracts import messages as wire
from ecrm.contracts.subscriptions import SubscribeBody, SubscribedBody
from ecrm.domain.api_keys import Scope
from ecrm.entry import messages as door
from ecrm.entry import subscriptions as sign_up_door
from ecrm.entry.http import Call, Reply

handler = wired.http_api()


@handler.route(
    "POST",
    "/v1/messages",
    scope=Scope.MESSAGES_WRITE,
    body=wire.RequestMessageBody,
    answer=wire.MessageBody,
    creates="MessagesRequested",
)
def request_message(call: Call) -> Reply:
    """Ask for a message to one customer. It is sent after the answer, which names it; marketing only to who consented."""
    return door.requested(call, wired.request_message)


@handler.route("GET", "/v1/messages/{message_id}", scope=Scope.MESSAGES_READ, answer=wire.MessageBody)
def read_message(call: Call) -> Reply:
    """Read what became of a message: whether it was handed over, and what its receiver's mail server and they did."""
    return door.shown(call, sends=wired.sends())


@handler.route("GET", "/v1/sending", scope=Scope.SENDING_READ, answer=wire.SendingBody)
def read_sending(_call: Call) -> Reply:
    """Read whether mail is sent, and why not."""
    return door.sending(control=wired.sending_control())


@handler.route("PUT", "/v1/sending", scope=Scope.SENDING_WRITE, body=wire.PutSendingBody, answer=wire.SendingBody)
def put_sending(call: Call) -> Reply:
    """Stop all mail of a kind within two seconds, or let it go out again. What waits is kept, and nobody gets it twice."""
    return door.put_sending(call, control=wired.sending_control(), clock=wired.clock)


@handler.route("POST", "/public/orders/find", body=wire.FindOrderBody, answer=wire.SoughtBody, takes_forms=True)
def find_order(call: Call) -> Reply:
    """Mail the link to an order to its customer, if the address is theirs. The answer is the same whatever was found."""
    return door.sought(call, wired.send_order_link, wired.pages)


@handler.route("POST", "/public/subscribe", scope=Scope.EVENTS_WRITE, body=SubscribeBody, answer=SubscribedBody, takes_forms=True)
def subscribe(call: Call) -> Reply:
    """Ask the reader of an address by mail whether they want a site's mail. The answer is the same whoever is known there."""
    return sign_up_door.subscribe(call, wired.confirmations().subscribe, wired.pages)
