"""Products on the wire."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints

from ecrm.application.products import PutProduct
from ecrm.domain import instants, money
from ecrm.domain.products import TRANSLATION, Product

from .batches import ElementResultBody
from .fields import Amount, Answer, Body, Currency, Instant, Language, Name, PageQuery, Restated, Text, Url

MOST_IN_BATCH = 100
MOST_LANGUAGES = 20


class PriceBody(Body):
    amount: Amount
    currency: Currency

    def to_value(self) -> dict[str, Any]:
        minor = money.to_minor(self.amount, self.currency, pointer="/price/amount")
        return {"amount_minor": minor, "currency": self.currency}


class TranslationBody(Body):
    name: Name
    description: Text | None = None
    url: Url | None = None


class UpdateProductBody(Restated):
    """A field that is missing is left alone, one that is null is cleared; each language is a field of its own."""

    READ_ONLY = frozenset({"sku"})

    name: Name | None = None
    category: Name | None = None
    brand: Name | None = None
    price: PriceBody | None = None
    image_url: Url | None = None
    url: Url | None = None
    stock: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None
    available: bool | None = None
    replenishment_days: Annotated[int, Field(ge=1, le=3_650)] | None = None
    translations: Annotated[dict[Language, TranslationBody | None], Field(max_length=MOST_LANGUAGES)] = Field(
        default_factory=dict
    )
    updated_at: Instant | None = None

    def to_command(self, sku: str) -> PutProduct:
        said = {field: getattr(self, field) for field in self.model_fields_set & _FIELDS.keys()}
        if self.price is not None:
            said["price"] = self.price.to_value()
        for language, words in self.translations.items():
            said[TRANSLATION + language] = None if words is None else words.model_dump(exclude_none=True)
        return PutProduct(sku=sku, said=said, at=self.updated_at)


_FIELDS = {field: None for field in UpdateProductBody.model_fields if field not in ("translations", "updated_at")}


class PutProductBody(UpdateProductBody):
    """The same with the sku that a path would name: a sku may hold what a path cannot."""

    READ_ONLY = frozenset()

    sku: Name


class PutProductsBody(Body):
    """Each product is judged by itself, in the order given."""

    products: Annotated[list[Any], Field(min_length=1, max_length=MOST_IN_BATCH)]


class ListProductsQuery(PageQuery):
    """A cursor holds a sku, which may be 200 characters of four bytes."""

    sku: Name | None = None
    cursor: Annotated[str, StringConstraints(max_length=2_000)] | None = None


class PriceAnswer(Answer):
    amount: str
    currency: str


class TranslationAnswer(Answer):
    name: str
    description: str | None = None
    url: str | None = None


class ProductBody(Answer):
    """What is known of a product; null where nothing is."""

    sku: str
    name: str | None
    category: str | None
    brand: str | None
    price: PriceAnswer | None
    image_url: str | None
    url: str | None
    stock: int | None
    available: bool
    replenishment_days: int | None
    translations: dict[str, TranslationAnswer]
    updated_at: str

    @classmethod
    def of(cls, product: Product) -> Self:
        price = product.value("price")
        told = {field: product.value(field) for field in _FIELDS if field not in ("price", "available")}
        return cls(
            sku=product.sku,
            price=PriceAnswer(amount=money.to_text(price["amount_minor"], price["currency"]), currency=price["currency"])
            if price
            else None,
            available=product.value("available") is not False,
            translations={language: TranslationAnswer(**words) for language, words in product.translations()},
            updated_at=instants.to_answer(product.updated_at),
            **told,
        )


class ProductsPage(Answer):
    data: list[ProductBody]
    next_cursor: str | None


class ProductResultBody(ElementResultBody):
    sku: str | None = None


class ProductsBatchBody(Answer):
    results: list[ProductResultBody]
    created: int
    updated: int
    rejected: int

    @classmethod
    def of(cls, results: Sequence[ProductResultBody]) -> Self:
        created = sum(result.status == 201 for result in results)  # noqa: PLR2004
        updated = sum(result.status == 200 for result in results)  # noqa: PLR2004
        return cls(results=[*results], created=created, updated=updated, rejected=len(results) - created - updated)
