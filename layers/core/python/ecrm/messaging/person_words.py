"""The words of a person's own pages. Every language has the same ones."""

from ecrm.domain.links import Language

WORDS: dict[Language, dict[str, str]] = {
    Language.ENGLISH: {
        "unsubscribe_title": "Unsubscribe?",
        "you_get": "You will get no more mail about:",
        "you_get_mail": "You will get no more mail of this kind.",
        "unsubscribe": "Unsubscribe",
        "unsubscribe_all": "Stop all advertising mail",
        "unsubscribed": "You are unsubscribed",
        "no_more_of": "From now on you get no mail about:",
        "no_more": "From now on you get no mail of this kind.",
        "no_more_at_all": "From now on you get no advertising mail from us.",
        "orders_stay": "Messages about your orders are not affected.",
        "choose_instead": "Choose what you want to hear about, and how often",
    },
    Language.PERSIAN: {
        "unsubscribe_title": "لغو اشتراک؟",
        "you_get": "از این پس درباره این موضوع ایمیلی نمی‌گیرید:",
        "you_get_mail": "از این پس ایمیلی از این دست نمی‌گیرید.",
        "unsubscribe": "لغو اشتراک",
        "unsubscribe_all": "قطع همه ایمیل‌های تبلیغاتی",
        "unsubscribed": "اشتراک شما لغو شد",
        "no_more_of": "از این پس درباره این موضوع ایمیلی نمی‌گیرید:",
        "no_more": "از این پس ایمیلی از این دست نمی‌گیرید.",
        "no_more_at_all": "از این پس هیچ ایمیل تبلیغاتی از ما نمی‌گیرید.",
        "orders_stay": "پیام‌های مربوط به سفارش‌هایتان همچنان می‌رسد.",
        "choose_instead": "انتخاب کنید که از چه چیزی و هر چند وقت یک بار باخبر شوید",
    },
    Language.CHINESE: {
        "unsubscribe_title": "要退订吗？",
        "you_get": "退订后，您将不再收到以下主题的邮件：",
        "you_get_mail": "退订后，您将不再收到此类邮件。",
        "unsubscribe": "退订",
        "unsubscribe_all": "停止所有推广邮件",
        "unsubscribed": "您已退订",
        "no_more_of": "从现在起，您不会再收到以下主题的邮件：",
        "no_more": "从现在起，您不会再收到此类邮件。",
        "no_more_at_all": "从现在起，您不会再收到我们的任何推广邮件。",
        "orders_stay": "与您的订单有关的消息不受影响。",
        "choose_instead": "选择您想收到的内容和频率",
    },
}
