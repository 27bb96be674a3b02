# ruff: noqa: FBT001
"""
Objects as Stripe writes them today: each with all keys of the published ones.

`test_stripe_shapes` compares the key sets. What nothing here depends on is null or empty.
"""

from typing import Any

API_VERSION = "2026-10-28.endive"


def _nulls(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names)


def listed(rows: list[dict[str, Any]], url: str, *, has_more: bool = False) -> dict[str, Any]:
    return {"object": "list", "data": rows, "has_more": has_more, "url": url}


def customer(one: Any) -> dict[str, Any]:
    if one.is_deleted:
        return {"id": one.id, "object": "customer", "deleted": True}
    return _nulls(
        "address",
        "currency",
        "default_source",
        "description",
        "discount",
        "name",
        "phone",
        "shipping",
        "test_clock",
    ) | {
        "id": one.id,
        "object": "customer",
        "balance": 0,
        "created": one.created,
        "delinquent": False,
        "email": one.email or None,
        "invoice_prefix": one.id[-8:].upper(),
        "invoice_settings": _nulls(
            "custom_fields", "default_payment_method", "footer", "rendering_options"
        ),
        "livemode": False,
        "metadata": dict(one.metadata),
        "next_invoice_sequence": 1,
        "preferred_locales": [],
        "tax_exempt": "none",
    }


def product(id_: str, name: str, created: int) -> dict[str, Any]:
    return _nulls(
        "default_price",
        "description",
        "package_dimensions",
        "shippable",
        "statement_descriptor",
        "tax_code",
        "unit_label",
        "url",
    ) | {
        "id": id_,
        "object": "product",
        "active": True,
        "created": created,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": {},
        "name": name,
        "type": "service",
        "updated": created,
    }


def price(one: Any) -> dict[str, Any]:
    recurring = {
        "interval": one.interval,
        "interval_count": 1,
        "meter": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }
    return _nulls(
        "custom_unit_amount", "lookup_key", "nickname", "tiers_mode", "transform_quantity"
    ) | {
        "id": one.id,
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": one.created,
        "currency": one.currency,
        "livemode": False,
        "metadata": {},
        "product": one.product,
        "recurring": recurring if one.interval else None,
        "tax_behavior": "unspecified",
        "type": "recurring" if one.interval else "one_time",
        "unit_amount": one.unit_amount,
        "unit_amount_decimal": str(one.unit_amount),
    }


def subscription(one: Any, its_price: Any, is_live: bool) -> dict[str, Any]:
    item = {
        "id": f"si_{one.id[4:]}",
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": one.created,
        "current_period_end": one.period_end,
        "current_period_start": one.period_start,
        "discounts": [],
        "metadata": {},
        "plan": _plan(its_price),
        "price": price(its_price),
        "quantity": 1,
        "subscription": one.id,
        "tax_rates": [],
    }
    return _nulls(
        "application",
        "application_fee_percent",
        "billing_cycle_anchor_config",
        "billing_schedules",
        "billing_thresholds",
        "customer_account",
        "days_until_due",
        "default_payment_method",
        "default_source",
        "description",
        "managed_payments",
        "next_pending_invoice_item_invoice",
        "on_behalf_of",
        "pause_collection",
        "pending_invoice_item_interval",
        "pending_setup_intent",
        "pending_update",
        "schedule",
        "test_clock",
        "transfer_data",
        "trial_settings",
    ) | {
        "id": one.id,
        "object": "subscription",
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": one.created,
        "billing_mode": {"type": "flexible"},
        "cancel_at": one.period_end if one.cancel_at_period_end else None,
        "cancel_at_period_end": one.cancel_at_period_end,
        "canceled_at": one.canceled_at,
        "cancellation_details": {
            "comment": None,
            "feedback": one.feedback,
            "reason": one.reason,
        },
        "collection_method": "charge_automatically",
        "created": one.created,
        "currency": its_price.currency,
        "customer": one.customer,
        "default_tax_rates": [],
        "discounts": [],
        "ended_at": one.ended_at,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": listed([item], f"/v1/subscription_items?subscription={one.id}"),
        "latest_invoice": one.latest_invoice,
        "livemode": is_live,
        "metadata": {},
        "payment_settings": _nulls(
            "payment_method_options", "payment_method_types", "save_default_payment_method"
        ),
        "start_date": one.created,
        "status": one.status,
        "trial_end": one.trial_end,
        "trial_start": one.created if one.trial_end else None,
    }


def _plan(its_price: Any) -> dict[str, Any]:
    return _nulls(
        "amount_decimal",
        "meter",
        "nickname",
        "tiers_mode",
        "transform_usage",
        "trial_period_days",
    ) | {
        "id": its_price.id,
        "object": "plan",
        "active": True,
        "amount": its_price.unit_amount,
        "billing_scheme": "per_unit",
        "created": its_price.created,
        "currency": its_price.currency,
        "interval": its_price.interval,
        "interval_count": 1,
        "livemode": False,
        "metadata": {},
        "product": its_price.product,
        "usage_type": "licensed",
    }


def line_item(one: Any, is_live: bool) -> dict[str, Any]:
    details = {
        "invoice_item": None,
        "proration": False,
        "proration_details": {"credited_items": None},
        "subscription": one.subscription,
        "subscription_item": f"si_{(one.subscription or '')[4:]}",
    }
    return {
        "id": f"il_{one.id[3:]}",
        "object": "line_item",
        "amount": one.amount,
        "currency": one.currency,
        "description": None,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": one.id,
        "livemode": is_live,
        "metadata": {},
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": details if one.subscription else None,
            "type": "subscription_item_details" if one.subscription else "invoice_item_details",
        },
        "period": {"start": one.created, "end": one.created},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": one.price, "product": "prod_films"},
            "type": "price_details",
            "unit_amount_decimal": str(one.amount),
        },
        "quantity": 1,
        "quantity_decimal": "1",
        "subscription": one.subscription,
        "subtotal": one.amount,
        "taxes": [],
    }


def invoice(one: Any, is_live: bool) -> dict[str, Any]:
    paid = one.amount if one.status == "paid" else 0
    parent = {
        "quote_details": None,
        "subscription_details": {"metadata": {}, "subscription": one.subscription},
        "type": "subscription_details",
    }
    return _nulls(
        "account_name",
        "account_tax_ids",
        "application",
        "automatically_finalizes_at",
        "custom_fields",
        "customer_account",
        "customer_address",
        "customer_email",
        "customer_name",
        "customer_phone",
        "customer_shipping",
        "default_payment_method",
        "default_source",
        "description",
        "due_date",
        "footer",
        "from_invoice",
        "hosted_invoice_url",
        "invoice_pdf",
        "last_finalization_error",
        "latest_revision",
        "next_payment_attempt",
        "on_behalf_of",
        "receipt_number",
        "rendering",
        "shipping_cost",
        "shipping_details",
        "statement_descriptor",
        "test_clock",
        "webhooks_delivered_at",
    ) | {
        "id": one.id,
        "object": "invoice",
        "account_country": "FR",
        "amount_due": one.amount,
        "amount_overpaid": 0,
        "amount_paid": paid,
        "amount_remaining": one.amount - paid,
        "amount_shipping": 0,
        "attempt_count": 1,
        "attempted": True,
        "auto_advance": False,
        "automatic_tax": {"enabled": False},
        "billing_reason": one.reason,
        "collection_method": "charge_automatically",
        "created": one.created,
        "currency": one.currency,
        "customer": one.customer,
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_tax_rates": [],
        "discounts": [],
        "effective_at": one.created,
        "ending_balance": 0,
        "issuer": {"type": "self"},
        "lines": listed([line_item(one, is_live)], f"/v1/invoices/{one.id}/lines"),
        "livemode": is_live,
        "metadata": {},
        "number": one.id[-8:],
        "parent": parent if one.subscription else None,
        "payment_settings": _nulls(
            "default_mandate", "payment_method_options", "payment_method_types"
        ),
        "period_end": one.created,
        "period_start": one.created,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": 0,
        "status": one.status,
        "status_transitions": {
            "finalized_at": one.created,
            "marked_uncollectible_at": None,
            "paid_at": one.paid_at,
            "voided_at": None,
        },
        "subtotal": one.amount,
        "subtotal_excluding_tax": one.amount,
        "total": one.amount,
        "total_discount_amounts": [],
        "total_excluding_tax": one.amount,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
    }


def invoice_payment(one: Any, is_live: bool, *, with_charge: bool = False) -> dict[str, Any]:
    """Write the payment of an invoice, from its charge."""
    return {
        "id": f"inpay_{one.id[3:]}",
        "object": "invoice_payment",
        "amount_paid": one.amount,
        "amount_requested": one.amount,
        "created": one.created,
        "currency": one.currency,
        "invoice": one.invoice,
        "is_default": True,
        "livemode": is_live,
        "payment": {
            "payment_intent": payment_intent(one, is_live, with_charge=True)
            if with_charge
            else one.payment_intent,
            "type": "payment_intent",
        },
        "status": "paid",
        "status_transitions": {"canceled_at": None, "paid_at": one.created},
    }


def payment_intent(one: Any, is_live: bool, *, with_charge: bool = False) -> dict[str, Any]:
    """Write the intent that led to the charge."""
    return _nulls(
        "application",
        "application_fee_amount",
        "automatic_payment_methods",
        "canceled_at",
        "cancellation_reason",
        "customer_account",
        "description",
        "excluded_payment_method_types",
        "last_payment_error",
        "managed_payments",
        "next_action",
        "on_behalf_of",
        "payment_method",
        "payment_method_configuration_details",
        "processing",
        "receipt_email",
        "review",
        "setup_future_usage",
        "shipping",
        "source",
        "statement_descriptor",
        "statement_descriptor_suffix",
        "transfer_data",
        "transfer_group",
    ) | {
        "id": one.payment_intent,
        "object": "payment_intent",
        "amount": one.amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": one.amount if one.status == "succeeded" else 0,
        "capture_method": "automatic",
        "client_secret": f"{one.payment_intent}_secret_local",
        "confirmation_method": "automatic",
        "created": one.created,
        "currency": one.currency,
        "customer": one.customer,
        "latest_charge": charge(one, is_live) if with_charge else one.id,
        "livemode": is_live,
        "metadata": dict(one.metadata),
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "status": one.status,
    }


def charge(one: Any, is_live: bool) -> dict[str, Any]:
    return _nulls(
        "application",
        "application_fee",
        "application_fee_amount",
        "balance_transaction",
        "calculated_statement_descriptor",
        "description",
        "failure_balance_transaction",
        "failure_code",
        "failure_message",
        "on_behalf_of",
        "outcome",
        "payment_method",
        "receipt_email",
        "receipt_number",
        "receipt_url",
        "review",
        "shipping",
        "source",
        "source_transfer",
        "statement_descriptor",
        "statement_descriptor_suffix",
        "transfer_data",
        "transfer_group",
    ) | {
        "id": one.id,
        "object": "charge",
        "amount": one.amount,
        "amount_captured": one.amount,
        "amount_refunded": one.refunded,
        "billing_details": _nulls("address", "email", "name", "phone", "tax_id"),
        "captured": True,
        "created": one.created,
        "currency": one.currency,
        "customer": one.customer,
        "disputed": one.dispute is not None,
        "fraud_details": {},
        "livemode": is_live,
        "metadata": {},
        "paid": True,
        "payment_intent": one.payment_intent,
        "payment_method_details": {
            "type": "card",
            "card": {"brand": "visa", "last4": "4242", "exp_month": 8, "exp_year": 2030},
        },
        "refunded": one.refunded >= one.amount,
        "refunds": listed([], f"/v1/charges/{one.id}/refunds"),
        "status": "succeeded",
    }


def refund(one: Any, its_charge: dict[str, Any] | None = None) -> dict[str, Any]:
    return _nulls(
        "balance_transaction",
        "customer",
        "customer_account",
        "destination_details",
        "payment_method",
        "reason",
        "receipt_number",
        "source_transfer_reversal",
        "transfer_reversal",
    ) | {
        "id": one.id,
        "object": "refund",
        "amount": one.amount,
        "charge": its_charge or one.charge,
        "created": one.created,
        "currency": one.currency,
        "metadata": {},
        "payment_intent": one.payment_intent,
        "status": "succeeded",
    }


def dispute(one: Any, is_live: bool) -> dict[str, Any]:
    """Write the dispute about the charge."""
    return {
        "id": f"dp_{one.id[3:]}",
        "object": "dispute",
        "amount": one.amount,
        "balance_transactions": [],
        "charge": one.id,
        "created": one.disputed,
        "currency": one.currency,
        "enhanced_eligibility_types": [],
        "evidence": {},
        "evidence_details": {},
        "is_charge_refundable": False,
        "livemode": is_live,
        "metadata": {},
        "payment_intent": one.payment_intent,
        "payment_method_details": None,
        "reason": "general",
        "status": one.dispute,
    }


def session(
    one: Any, its_price: Any, is_live: bool, *, with_lines: bool = False
) -> dict[str, Any]:
    """Write a session of Checkout; what was sold stands in it on demand."""
    shape = _nulls(
        "adaptive_pricing",
        "after_expiration",
        "allow_promotion_codes",
        "billing_address_collection",
        "cancel_url",
        "client_secret",
        "collected_information",
        "consent",
        "consent_collection",
        "currency_conversion",
        "customer_account",
        "customer_creation",
        "customer_email",
        "discounts",
        "integration_identifier",
        "locale",
        "managed_payments",
        "origin_context",
        "payment_link",
        "payment_method_collection",
        "payment_method_configuration_details",
        "permissions",
        "recovered_from",
        "saved_payment_method_options",
        "setup_intent",
        "shipping_address_collection",
        "shipping_cost",
        "submit_type",
        "subscription",
        "ui_mode",
        "url",
        "wallet_options",
    ) | {
        "id": one.id,
        "object": "checkout.session",
        "amount_subtotal": its_price.unit_amount,
        "amount_total": one.amount,
        "automatic_tax": {"enabled": False, "liability": None, "status": None},
        "client_reference_id": one.client_reference_id,
        "created": one.created,
        "currency": its_price.currency,
        "custom_fields": [],
        "custom_text": {},
        "customer": one.customer,
        "customer_details": {"email": one.email or None, "name": None, "phone": None},
        "expires_at": one.created + 86_400,
        "invoice": one.invoice,
        "invoice_creation": {"enabled": one.has_invoice, "invoice_data": {}},
        "livemode": is_live,
        "metadata": dict(one.metadata),
        "mode": "payment",
        "payment_intent": one.payment_intent,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "payment_status": "paid" if one.payment_intent else "no_payment_required",
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
        "status": one.status,
        "success_url": "https://example.com/done",
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    }
    lines = [sold(one, its_price)]
    return shape | ({"line_items": listed(lines, "/v1/x")} if with_lines else {})


def sold(one: Any, its_price: Any) -> dict[str, Any]:
    """Write one line of what a session of Checkout sold."""
    return {
        "id": f"li_{one.id[3:]}",
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": its_price.unit_amount,
        "amount_tax": 0,
        "amount_total": one.amount,
        "currency": its_price.currency,
        "description": None,
        "metadata": {},
        "price": price(its_price),
        "quantity": 1,
    }


def event(one: Any) -> dict[str, Any]:
    told = {
        "id": one.id,
        "object": "event",
        "api_version": API_VERSION,
        "created": one.created,
        "data": {"object": one.payload},
        "livemode": one.is_live,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": one.type,
    }
    # Only an event of a connected account names it.
    return told | ({"account": one.account} if one.account else {})
