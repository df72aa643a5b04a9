"""Batches of coupons for print, for those who run series."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response
from sqlalchemy.orm import Session

from loyalty import audit, programmes
from loyalty.coupons import batches, series
from loyalty.coupons.schemas import BatchSchema, NewBatchSchema
from loyalty.database import transaction
from loyalty.programmes import IN_BODY
from loyalty.web import Access, Caller, endpoint, ids, page
from loyalty.web.fields import dump_instant

blueprint = Blueprint("coupon_batches", __name__)

_ACCESS = Access.staff("coupon_operations")


@endpoint(
    blueprint,
    "POST",
    "/v1/coupon-series/{code}/batches",
    access=_ACCESS,
    body=NewBatchSchema,
    answer=BatchSchema,
    status=202,
    idempotent=True,
    summary=("批量制券", "Make a batch of coupons"),
    problems=("customer-needed", "coupon-halted", "reference-reused", "programme-needed"),
)
def post_batch(session: Session, caller: Caller, code: str, body: dict[str, Any]) -> dict[str, Any]:
    """Begin to make coupons without customers in the background."""
    programme = programmes.choose_programme(session, body["programme"], IN_BODY)
    found = series.find_series(session, programme, code)
    batch = batches.start_batch(session, found, body["reference"], body["size"], caller.id)
    audit.record(session, caller, "coupon_batch.started", "batch", batch.id, {"size": batch.size})
    return _dump(batch)


@endpoint(
    blueprint,
    "GET",
    "/v1/coupon-batches/{batch_id}",
    access=_ACCESS,
    answer=BatchSchema,
    summary=("查看制券进度", "See how far a batch came"),
    reading=True,
)
def get_batch(session: Session, batch_id: int) -> dict[str, Any]:
    """Answer how many are made, and how many limits or budget refused."""
    return _dump(batches.find_batch(session, batch_id))


@page(
    blueprint,
    "POST",
    "/v1/coupon-batches/{batch_id}/codes",
    access=_ACCESS,
    media_type="text/csv",
    not_idempotent="the codes are given once; a kept answer would be a second copy",
    summary=("取券码文件(仅一次)", "Fetch the codes of a batch, once"),
    problems=("batch-unfinished", "codes-given", "codes-over"),
)
def post_codes(caller: Caller, batch_id: int) -> Response:
    """Answer the codes to whoever made the batch: once, within a day, with their mark in it."""
    with transaction() as session:
        batch, mark = batches.give_codes(session, batch_id, caller.id)
        audit.record(session, caller, "coupon_batch.exported", "batch", batch_id, {"mark": mark})
    name = f"{ids.encode('bat', batch_id)}.csv"
    return Response(
        _write_codes(batch, mark),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


def _write_codes(batch: batches.Batch, mark: str) -> Iterator[str]:
    yield _write_lines(list(batches.header_of(batch, mark)))
    after = 0
    while True:
        with transaction() as session:
            found = batches.read_codes(session, batch.id, after)
        if not found:
            return
        yield _write_lines(
            [
                [ids.encode("cpn", number), code, dump_instant(until), mark]
                for number, code, until in found
            ]
        )
        after = found[-1][0]


def _write_lines(lines: list[list[Any]]) -> str:
    written = io.StringIO(newline="")
    csv.writer(written).writerows(lines)
    return written.getvalue()


def _dump(batch: batches.Batch) -> dict[str, Any]:
    return {
        "batch_id": ids.encode("bat", batch.id),
        "series": batch.series,
        "version": batch.version,
        "reference": batch.reference,
        "size": batch.size,
        "made": batch.done,
        "missing": batch.failed,
        "state": batch.state,
        "exported": batch.given_at is not None,
    }
