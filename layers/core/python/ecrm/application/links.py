"""Making the links that a customer gets, and reading what is behind them."""

from dataclasses import dataclass

from ecrm.domain.errors import NotFound
from ecrm.domain.links import Language, Link, PersonLink, Purpose, seal, unseal, unseal_person
from ecrm.domain.sites import Site

from .link_keys import ring_for
from .orders import OrderView, find_order, read_order
from .ports import Clock, LinkKeys, Orders, Sites


@dataclass(frozen=True, slots=True)
class PublicOrder:
    """What a customer may see; `language` is the link's own."""

    view: OrderView
    site: Site
    language: Language | None


def make_order_link(site: str, order_id: str, language: Language | None, *, keys: LinkKeys, orders: Orders) -> str:
    """Make the token that opens an order's status page; writes nothing. Raises NotFound where there is no such order, Erased."""
    find_order(site, order_id, orders, consistent=True)
    return seal(Link(Purpose.ORDER_STATUS, site, order_id, language), keys.ring())


def open_link(token: str, purpose: Purpose, *, keys: LinkKeys) -> Link:
    """Read a token. Raises NotFound."""
    return unseal(token, purpose, ring_for(token, keys))


def open_person_link(token: str, purpose: Purpose, *, keys: LinkKeys, clock: Clock) -> PersonLink:
    """Read a token of a customer's own page. Raises NotFound."""
    return unseal_person(token, purpose, ring_for(token, keys), clock.now())


def site_behind(name: str, sites: Sites) -> Site:
    """Find the site of a link. Raises NotFound: a link says nothing of why it leads nowhere."""
    site = sites.find(name)
    if site is None:
        raise NotFound("there is nothing behind this link", code="link_not_found")
    return site


def read_public_order(token: str, *, keys: LinkKeys, orders: Orders, sites: Sites) -> PublicOrder:
    """Read the order behind a link. Raises NotFound."""
    link = open_link(token, Purpose.ORDER_STATUS, keys=keys)
    view = read_order(link.site, link.order_id, orders=orders)
    return PublicOrder(view, site_behind(link.site, sites), link.language)
