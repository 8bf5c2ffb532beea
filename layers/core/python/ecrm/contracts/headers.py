"""Heads of tables: which of our fields a column means, by its name in English, Persian, Chinese, German, French and Spanish."""

import unicodedata
from collections.abc import Mapping
from functools import cache

from ecrm.domain.imports import Kind

OURS = frozenset({"_line", "_column", "_code", "_message"})
"""Columns that a file of rejects has besides the original ones."""

_LETTERS = str.maketrans("يكىة", "یکیه")
"""Arabic letters that a Persian keyboard may type."""

_IDENTIFIERS: Mapping[str, str] = {
    "user_id": "user id|customer id|customer no|customer number|client id|member id|account id|external id|uid|id"
    "|شناسه کاربر|شناسه کاربری|شناسه مشتری|کد مشتری|شماره مشتری|用户id|用户编号|客户编号|会员编号|会员号|客户id"
    "|kundennummer|kunden nr|kunden id|numéro client|no client|id client|número de cliente|id de cliente|id cliente",
    "email": "email|email address|e-mail|e-mail address|mail|mail address|subscriber email|customer email|contact email"
    "|ایمیل|آدرس ایمیل|پست الکترونیک|پست الکترونیکی|رایانامه|نشانی ایمیل|بريد إلكتروني|البريد الإلكتروني"
    "|邮箱|电子邮件|电子邮箱|邮件|邮箱地址|電子郵件|e-mail-adresse|mailadresse|adresse e-mail|adresse mail|courriel"
    "|adresse électronique"
    "|correo|correo electrónico|dirección de correo",
    "phone": "phone|phone number|telephone|telephone number|tel|mobile|mobile number|mobile phone|cell|cell phone|cellphone|sms"
    "|msisdn|whatsapp|تلفن|شماره تلفن|موبایل|شماره موبایل|تلفن همراه|شماره تماس|همراه|هاتف|رقم الهاتف|جوال"
    "|电话|手机|手机号|手机号码|电话号码|联系电话|電話|telefon|telefonnummer|handy|handynummer|mobil|mobilnummer|téléphone"
    "|portable|mobile phone"
    "|numéro de téléphone|teléfono|móvil|celular|número de teléfono",
    "anonymous_id": "anonymous id|cookie id|device id",
}

_CONTACTS: Mapping[str, str] = {
    **_IDENTIFIERS,
    "first_name": "first name|given name|forename|fname|نام|نام کوچک|名|名字|vorname|prénom|nombre|nombre de pila",
    "last_name": "last name|family name|surname|lname|نام خانوادگی|فامیلی|姓|姓氏|nachname|familienname|nom de famille|nom"
    "|apellido|apellidos",
    "name": "name|full name|display name|نام کامل|نام و نام خانوادگی|姓名|全名|vollständiger name|nom complet|nombre completo",
    "gender": "gender|sex|جنسیت|性别|geschlecht|genre|sexe|género|sexo",
    "birthday": "birthday|birth date|date of birth|dob|born|تاریخ تولد|تولد|روز تولد|生日|出生日期|geburtstag|geburtsdatum"
    "|date de naissance|anniversaire|fecha de nacimiento|cumpleaños",
    "created_at": "created at|created|customer since|signup date|sign up date|registered at|registration date|creation date"
    "|تاریخ عضویت|تاریخ ثبت نام|注册时间|注册日期|创建时间|angelegt am|kunde seit|date d'inscription|date de création"
    "|fecha de alta|fecha de registro",
    "language": "language|lang|locale|preferred language|زبان|语言|語言|sprache|langue|idioma",
    "time_zone": "time zone|timezone|tz|منطقه زمانی|时区|時區|zeitzone|fuseau horaire|zona horaria",
    "country": "country|country code|کشور|کد کشور|国家|國家|国家代码|land|ländercode|pays|code pays|país",
    "city": "city|town|شهر|城市|市|stadt|ort|wohnort|ville|ciudad",
    "postal_code": "postal code|postcode|zip|zip code|کد پستی|کدپستی|邮编|邮政编码|郵遞區號|plz|postleitzahl|code postal"
    "|código postal|cp",
    "street": "street|address|street address|address line 1|آدرس|نشانی|地址|街道|straße|strasse|anschrift|adresse|rue"
    "|dirección|calle",
    "company_name": "company|organisation|organization|company name|شرکت|公司|企业|firma|unternehmen|société|entreprise|empresa",
    "tags": "tags|tag|labels|برچسب|برچسب ها|标签|標籤|schlagwörter|étiquettes|etiquetas",
    "updated_at": "updated at|occurred at|last updated|modified at|last changed|تاریخ به روزرسانی|更新时间|修改时间|geändert am"
    "|aktualisiert am"
    "|mis à jour le|date de modification|actualizado|fecha de actualización",
    "consent.email": "subscribed|newsletter|email subscribed|opt in|optin|email opt in|email consent|marketing consent"
    "|accepts marketing"
    "|accepts email marketing|email marketing|subscription status|subscriber status|status of subscription|consent"
    "|marketing permission"
    "|عضویت|عضویت در خبرنامه|خبرنامه|اشتراک|رضایت|订阅|已订阅|订阅状态|电子报|營銷同意|newsletter abonniert|abonniert"
    "|einwilligung|werbeeinwilligung"
    "|abonné|abonné newsletter|inscrit|consentement|suscrito|suscripción|boletín|consentimiento",
    "consent.sms": "sms subscribed|sms opt in|sms consent|accepts sms|accepts sms marketing|sms marketing|sms newsletter"
    "|عضویت پیامک|پیامک|短信订阅|sms einwilligung|consentement sms|suscripción sms",
    "consent.email!": "opt out|optout|opted out|unsubscribed|unsubscribe|email opt out|do not email|do not contact"
    "|unsubscribed at"
    "|opted out of email|email opted out|لغو عضویت|لغو اشتراک|انصراف|退订|已退订|取消订阅|abgemeldet|abbestellt|widerspruch"
    "|werbewiderspruch"
    "|désabonné|désinscrit|désinscription|baja|dado de baja|cancelado",
    "consent.sms!": "sms opt out|sms unsubscribed|do not text|do not sms|لغو پیامک|短信退订|sms abgemeldet|désabonné sms"
    "|baja sms",
}
"""`consent.<channel>` names no topic; a `!` says that a yes in that column is a no."""

_SUPPRESSIONS: Mapping[str, str] = {
    "channel": "channel|کانال|渠道|kanal|canal",
    "address": "address|recipient|destination|نشانی|地址|收件人|empfänger|destinataire|destinatario",
    "email": _IDENTIFIERS["email"],
    "phone": _IDENTIFIERS["phone"],
    "reason": "reason|type|cause|status|دلیل|علت|原因|类型|grund|typ|raison|motif|razón|motivo",
    "at": "at|date|time|timestamp|created|created at|suppressed at|suppressed on|unsubscribed at|last update time|تاریخ|زمان"
    "|日期|时间|datum"
    "|zeitpunkt|date de désinscription|fecha",
    "note": "note|notes|comment|یادداشت|توضیح|توضیحات|备注|說明|notiz|bemerkung|remarque|commentaire|nota|comentario",
    "country": _CONTACTS["country"],
}

_PRODUCTS: Mapping[str, str] = {
    "sku": "sku|product id|item id|item number|article number|product code|variant sku|id|کد کالا|کد محصول|شناسه محصول"
    "|شناسه کالا|商品编号|商品编码|货号|产品编号"
    "|artikelnummer|artikel nr|référence|réf|referencia|código",
    "name": "name|title|product name|نام|نام کالا|نام محصول|عنوان|名称|商品名称|产品名称|bezeichnung|artikelname|produktname"
    "|titel|nom|nom du produit|titre"
    "|nombre|nombre del producto|título",
    "category": "category|product category|product type|google product category|دسته|دسته بندی|گروه|类别|分类|品类|kategorie"
    "|warengruppe|catégorie|categoría",
    "brand": "brand|vendor|manufacturer|برند|سازنده|نشان تجاری|品牌|厂商|marke|hersteller|marque|fabricant|marca|fabricante",
    "price": "price|unit price|regular price|variant price|قیمت|بها|价格|单价|售价|preis|verkaufspreis|prix|precio",
    "currency": "currency|currency code|واحد پول|ارز|货币|币种|währung|devise|monnaie|moneda|divisa",
    "image_url": "image url|image|image link|picture|image src|تصویر|نشانی تصویر|图片|图片链接|bild|bild url|image lien|imagen",
    "url": "url|link|product url|product link|لینک|پیوند|链接|商品链接|produktlink|lien|enlace",
    "stock": "stock|quantity|inventory|qty|stock quantity|موجودی|تعداد|库存|数量|bestand|lagerbestand|stock disponible"
    "|quantité|existencias|inventario",
    "available": "available|availability|in stock|is available|موجود|有货|可售|verfügbar|lieferbar|disponible|en stock",
    "replenishment_days": "replenishment days|refill days|reorder days|دوره مصرف|补货天数|reichweite tage|jours de réassort"
    "|días de reposición",
    "updated_at": _CONTACTS["updated_at"],
}

_CUSTOMER: Mapping[str, str] = {
    "user_id": _IDENTIFIERS["user_id"].removesuffix("|id").replace("|uid|id", "|uid"),
    "email": _IDENTIFIERS["email"],
    "phone": _IDENTIFIERS["phone"],
    "anonymous_id": _IDENTIFIERS["anonymous_id"],
}

_ORDER_ID = (
    "order id|order number|order no|order|order name|شماره سفارش|کد سفارش|شناسه سفارش|订单号|订单编号|订单id|bestellnummer"
    "|auftragsnummer"
    "|bestell nr|numéro de commande|n° de commande|commande|número de pedido|pedido"
)

_ORDERS: Mapping[str, str] = {
    "order_id": _ORDER_ID,
    **_CUSTOMER,
    "placed_at": "placed at|order date|ordered at|ordered on|purchase date|purchased at|date|created at|created|تاریخ سفارش"
    "|تاریخ خرید|تاریخ|下单时间|订单日期|日期"
    "|bestelldatum|bestellt am|datum|date de commande|date d'achat|fecha de pedido|fecha de compra|fecha",
    "currency": _PRODUCTS["currency"],
    "total": "total|order total|grand total|amount|total price|جمع کل|مبلغ کل|مبلغ|总额|总金额|订单金额|合计|gesamt"
    "|gesamtbetrag|summe|montant total|montant|importe total|importe",
    "shipping": "shipping|shipping cost|shipping price|delivery|هزینه ارسال|运费|versand|versandkosten|frais de port|livraison"
    "|gastos de envío|envío",
    "tax": "tax|taxes|vat|مالیات|税|税费|增值税|steuer|mwst|umsatzsteuer|taxe|tva|impuesto|impuestos|iva",
    "tax_included": "tax included|taxes included|prices include tax|مالیات در قیمت|含税|inkl mwst|steuer enthalten"
    "|taxe incluse|ttc|impuestos incluidos",
    "discount": "discount|order discount|discount amount|تخفیف|折扣|优惠|rabatt|remise|réduction|descuento",
    "coupon": "coupon|coupon code|discount code|voucher|promo code|کد تخفیف|کوپن|优惠码|优惠券|gutschein|gutscheincode"
    "|code promo|cupón|código promocional",
    "line_id": "line id|line|line number|line item id|ردیف|行号|position|pos|ligne|línea",
    "sku": "sku|product id|item id|product code|item sku|line item sku|lineitem sku|variant sku|کد کالا|کد محصول|شناسه محصول"
    "|商品编号|货号|商品编码"
    "|artikelnummer|référence|referencia",
    "name": "name|product name|item name|product|item|line item name|lineitem name|title|نام کالا|نام محصول|کالا|محصول|商品"
    "|商品名称|产品名称|artikel|produkt"
    "|bezeichnung|artikelname|produit|nom du produit|article|producto|nombre del producto|artículo",
    "quantity": "quantity|qty|item quantity|line item quantity|lineitem quantity|تعداد|数量|menge|anzahl|quantité|qté|cantidad",
    "unit_price": "unit price|price|item price|line item price|lineitem price|قیمت|قیمت واحد|单价|价格|preis|einzelpreis"
    "|stückpreis|prix unitaire|prix|precio"
    "|precio unitario",
    "line_discount": "line discount|item discount|line item discount|lineitem discount|تخفیف کالا|行折扣|商品折扣"
    "|positionsrabatt|remise ligne|descuento de línea",
    "category": _PRODUCTS["category"],
    "country": _CONTACTS["country"],
}

_SHIPMENTS: Mapping[str, str] = {
    "order_id": _ORDER_ID,
    "shipment_id": "shipment id|shipment|parcel id|package id|fulfillment id|شناسه مرسوله|کد مرسوله|包裹号|发货单号"
    "|sendungs id|lieferung|id colis|expédition|id de envío",
    "carrier": "carrier|courier|shipping company|tracking company|شرکت پست|شرکت حمل|پست|承运商|快递公司|物流公司|versanddienst"
    "|spediteur|transporteur|transportista",
    "tracking_number": "tracking number|tracking no|tracking code|tracking|کد رهگیری|کد پیگیری|شماره پیگیری|运单号|快递单号"
    "|物流单号|sendungsnummer|trackingnummer"
    "|numéro de suivi|número de seguimiento",
    "tracking_url": "tracking url|tracking link|لینک رهگیری|لینک پیگیری|物流链接|查询链接|sendungsverfolgung|lien de suivi"
    "|enlace de seguimiento",
    "shipped_at": "shipped at|shipped on|ship date|shipped|dispatch date|dispatched at|تاریخ ارسال|发货时间|发货日期"
    "|versendet am|versanddatum|expédié le"
    "|date d'expédition|enviado el|fecha de envío",
    "delivered_at": "delivered at|delivered on|delivery date|delivered|تاریخ تحویل|送达时间|签收时间|zugestellt am|lieferdatum"
    "|livré le|date de livraison"
    "|entregado el|fecha de entrega",
}

_WORDS: Mapping[Kind, Mapping[str, str]] = {
    Kind.CONTACTS: _CONTACTS,
    Kind.SUPPRESSIONS: _SUPPRESSIONS,
    Kind.PRODUCTS: _PRODUCTS,
    Kind.ORDERS: _ORDERS,
    Kind.SHIPMENTS: _SHIPMENTS,
}


def folded(name: str) -> str:
    """Give a name as names are compared: "E-Mail Address", `email_address` and `emailAddress` are one."""
    normal = unicodedata.normalize("NFKD", name).casefold().translate(_LETTERS)
    return "".join(char for char in normal if char.isalnum())


@cache
def _targets(kind: Kind) -> Mapping[str, str]:
    words = _WORDS[kind]
    found = {folded(word): target for target, several in words.items() for word in several.split("|")}
    return found | {folded(target): target for target in words if "." not in target}


def target_of(kind: Kind, name: str) -> str | None:
    """Give the target that a column's name means, None where it is none of ours."""
    return _targets(kind).get(folded(name))


def targets(kind: Kind) -> frozenset[str]:
    """Give the plain targets of a kind; attributes, translations and consents come besides."""
    return frozenset(target for target in _WORDS[kind] if "." not in target)


def synonyms(kind: Kind) -> Mapping[str, tuple[str, ...]]:
    """Give the names by which each target is known."""
    return {target: tuple(words.split("|")) for target, words in _WORDS[kind].items()}
